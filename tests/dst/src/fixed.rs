//! The fixed set: seeds that failed before and 256 others, and what all of them together must have reached.
//!
//! Owns: the list of seeds, and coverage of the core's points and of troubles.
//! Must never: drop a seed because it passes.

use crate::figures::Figures;
use crate::weather::Trouble;
use kassette_core::parts::Point;

/// Seeds that failed once, with what they found.
const FOUND: &str = include_str!("../seeds.txt");
/// The first of the others.
const FIRST: u64 = 1_000_001;
/// How many others.
const COUNT: u64 = 256;

/// Every seed of the set.
///
/// # Errors
/// The line of `seeds.txt` that is not understood.
pub fn seeds() -> Result<Vec<u64>, String> {
    let lines = FOUND
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let mut seeds = Vec::new();
    for line in lines {
        let seed = line.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        seeds.push(seed.ok_or_else(|| format!("seeds.txt: \"{line}\" is not: story version, seed, what it found"))?);
    }
    seeds.extend(FIRST..FIRST + COUNT);
    Ok(seeds)
}

/// Points of the core and kinds of trouble that no seed of the set reached.
#[must_use]
pub fn missed(sum: &Figures) -> Vec<String> {
    let points = Point::ALL.iter().filter(|point| !sum.points.contains_key(point));
    let troubles = Trouble::names();
    let troubles = troubles.iter().filter(|name| !sum.troubles.contains_key(*name));
    let points = points.map(|point| format!("point {}", point.as_str()));
    points.chain(troubles.map(|name| format!("trouble {name}"))).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_line_of_the_list_of_failed_seeds_is_understood() {
        assert!(
            super::seeds().is_ok_and(|seeds| seeds.len() >= 256),
            "{:?}",
            super::seeds()
        );
    }
}
