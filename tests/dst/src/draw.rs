//! The one source of chance of a story.
//!
//! Owns: SplitMix64, and the streams that are made of one seed.
//! Must never: be shared between parts of a story that may be left out: each has a stream of its own, so that leaving
//! one out changes nothing of what the others draw.

/// SplitMix64.
#[derive(Debug, Clone)]
pub struct Draw(u64);

impl Draw {
    /// The stream of a part of a story; other parts of the same seed have other streams.
    #[must_use]
    pub fn of(seed: u64, part: &str, number: u64) -> Self {
        let mut draw = Self(seed);
        for byte in part.bytes().map(u64::from).chain([number]) {
            draw.0 = draw.next() ^ byte;
        }
        draw
    }

    /// Any number.
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "a stream without an end is no iterator")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    #[must_use]
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A number from `from` to `upto`, both included.
    #[must_use]
    pub fn between(&mut self, from: u64, upto: u64) -> u64 {
        from + self.below(upto.saturating_sub(from) + 1)
    }

    /// A small number below `bound`.
    #[must_use]
    pub fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap_or(0)
    }

    /// True so many times out of a hundred.
    #[must_use]
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of a list.
    ///
    /// # Panics
    /// When the list is empty: a mistake of the program.
    #[must_use]
    pub fn of_all<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len())]
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn a_part_of_a_seed_always_draws_the_same_and_other_parts_draw_something_else() {
        let first = |part, number| Draw::of(7, part, number).next();
        assert_eq!(first("round", 1), first("round", 1));
        let all = [
            first("round", 1),
            first("round", 2),
            first("trouble", 1),
            Draw::of(8, "round", 1).next(),
        ];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
