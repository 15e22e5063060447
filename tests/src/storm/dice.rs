//! Chance from a seed.
//!
//! Owns: the one generator of a storm, so that an old seed means the same after any update of a library.
//! Must never: draw from the system.

/// A splitmix64 generator.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// The generator of one part of a storm: the same seed and part give the same numbers.
    #[must_use]
    pub fn of(seed: u64, part: &str) -> Self {
        let mix = |state: u64, byte: u8| (state ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        Self(part.bytes().fold(seed ^ 0xCBF2_9CE4_8422_2325, mix))
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included; `low` when the range is empty.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.draw() % (high.saturating_sub(low).saturating_add(1)).max(1)
    }

    /// The same for an index below `count`; 0 of nothing.
    pub fn below(&mut self, count: usize) -> usize {
        let last = u64::try_from(count).unwrap_or(u64::MAX).saturating_sub(1);
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, of_hundred: u64) -> bool {
        self.between(0, 99) < of_hundred
    }

    /// One of a list.
    ///
    /// # Panics
    /// Of an empty list: there is none to pick.
    pub fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    /// Puts a list into another order.
    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_part_give_the_same_numbers_and_another_part_others() {
        let numbers = |seed, part| {
            let mut dice = Dice::of(seed, part);
            (0..8).map(|_| dice.between(0, u64::MAX - 1)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7, "client 1"), numbers(7, "client 1"));
        assert_ne!(numbers(7, "client 1"), numbers(7, "client 2"));
        assert_ne!(numbers(7, "client 1"), numbers(8, "client 1"));
    }

    #[test]
    fn a_range_holds_both_its_ends() {
        let mut dice = Dice::of(1, "range");
        let drawn: std::collections::BTreeSet<u64> = (0..200).map(|_| dice.between(3, 5)).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), [3, 4, 5]);
    }
}
