//! A discount on a whole receipt, spread over its items to the kopeck.
//!
//! Owns: the shares: in proportion to the amounts, what rounding leaves goes to the largest remainders.
//! Must never: change a receipt; a client is told the amounts and states them itself.

use kassette_wire::value::Kopecks;

/// The amounts after a discount; their sum is the old one less exactly the discount, and none is above its old one.
/// `None` when the discount is larger than the sum.
#[must_use]
pub fn discounted(amounts: &[Kopecks], discount: Kopecks) -> Option<Vec<Kopecks>> {
    let sum: u128 = amounts.iter().map(|amount| u128::from(amount.get())).sum();
    let discount = u128::from(discount.get());
    if discount > sum {
        return None;
    }
    if sum == 0 {
        return Some(amounts.to_vec());
    }
    let share = |amount: &Kopecks| {
        let whole = u128::from(amount.get()) * discount;
        (whole / sum, whole % sum)
    };
    let shares: Vec<(u128, u128)> = amounts.iter().map(share).collect();
    let given: u128 = shares.iter().map(|(kopecks, _)| kopecks).sum();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by_key(|&at| std::cmp::Reverse(shares[at].1));
    let mut left = amounts.to_vec();
    for (rank, at) in order.into_iter().enumerate() {
        // Fewer kopecks are left over than there are items with a remainder.
        let extra = u128::from((rank as u128) < discount - given);
        let off = u64::try_from(shares[at].0 + extra).ok()?;
        left[at] = Kopecks::new(amounts[at].get().checked_sub(off)?).ok()?;
    }
    Some(left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(amounts: &[u64]) -> Vec<Kopecks> {
        amounts.iter().map(|kopecks| Kopecks::new(*kopecks).unwrap()).collect()
    }

    #[test]
    fn three_equal_items_share_a_discount_that_three_does_not_divide() {
        let left = discounted(&all(&[10_000, 10_000, 10_000]), Kopecks::new(1_000).unwrap());
        assert_eq!(left, Some(all(&[9_666, 9_667, 9_667])));
    }

    #[test]
    fn a_discount_above_the_sum_has_no_spread_and_all_of_it_leaves_nothing() {
        let amounts = all(&[1, 2]);
        assert_eq!(discounted(&amounts, Kopecks::new(4).unwrap()), None);
        assert_eq!(discounted(&amounts, Kopecks::new(3).unwrap()), Some(all(&[0, 0])));
        assert_eq!(discounted(&[], Kopecks::ZERO), Some(vec![]));
    }

    proptest! {
        #[test]
        fn no_kopeck_is_lost_and_no_item_grows(
            amounts in prop::collection::vec(0..=281_474_976_710_655_u64, 1..40),
            part in 0..=1000_u64,
        ) {
            let amounts = all(&amounts);
            let sum: u64 = amounts.iter().map(|amount| amount.get()).sum();
            let discount = Kopecks::new((sum / 1000 * part).min(Kopecks::MAX.get())).unwrap();
            let left = discounted(&amounts, discount).unwrap();
            prop_assert_eq!(left.iter().map(|amount| amount.get()).sum::<u64>(), sum - discount.get());
            for (new, old) in left.iter().zip(&amounts) {
                prop_assert!(new <= old);
            }
        }
    }
}
