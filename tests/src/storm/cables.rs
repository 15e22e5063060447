//! Which register's cable ends at which port.
//!
//! Owns: the names of ports that the plan knows, and who stands at each.
//! Must never: let two registers have one name.

use super::dice::Dice;
use std::collections::BTreeMap;

/// Ports and who stands at them.
#[derive(Debug)]
pub struct Cables {
    at: BTreeMap<String, String>,
    names: Vec<String>,
}

impl Cables {
    /// Every register at the port of its own name; `names` are all ports of the plan.
    #[must_use]
    pub fn new(serials: &[String], names: Vec<String>) -> Self {
        let at = serials.iter().map(|serial| (serial.clone(), serial.clone())).collect();
        Self { at, names }
    }

    /// The port of a register; `None` for one that has no port name.
    #[must_use]
    pub fn name(&self, serial: &str) -> Option<&str> {
        self.at.get(serial).map(String::as_str)
    }

    /// Moves a register to a port where nobody stands, and names it.
    pub fn elsewhere(&mut self, serial: &str, dice: &mut Dice) -> Option<String> {
        let taken: Vec<&String> = self.at.values().collect();
        let free: Vec<String> = self
            .names
            .iter()
            .filter(|name| !taken.contains(name))
            .cloned()
            .collect();
        let name = free.get(dice.below(free.len()))?.clone();
        *self.at.get_mut(serial)? = name.clone();
        Some(name)
    }

    /// Another register with a port name.
    #[must_use]
    pub fn other(&self, serial: &str, dice: &mut Dice) -> Option<String> {
        let others: Vec<&String> = self.at.keys().filter(|one| *one != serial).collect();
        others.get(dice.below(others.len())).map(|one| (*one).clone())
    }

    /// Two registers change ports.
    pub fn swap(&mut self, a: &str, b: &str) {
        if let (Some(one), Some(other)) = (self.at.get(a).cloned(), self.at.get(b).cloned()) {
            self.at.insert(a.to_owned(), other);
            self.at.insert(b.to_owned(), one);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn however_registers_move_no_two_stand_at_one_port() {
        let serials: Vec<String> = (0..4).map(|n| format!("r{n}")).collect();
        let spare = serials.iter().map(|serial| format!("spare-{serial}"));
        let mut cables = Cables::new(&serials, serials.iter().cloned().chain(spare).collect());
        let mut dice = Dice::of(3, "cables");
        for _ in 0..500 {
            let serial = serials[dice.below(4)].clone();
            if dice.percent(50) {
                cables.elsewhere(&serial, &mut dice).unwrap();
            } else {
                let other = cables.other(&serial, &mut dice).unwrap();
                cables.swap(&serial, &other);
            }
            let names: BTreeSet<&str> = serials.iter().filter_map(|one| cables.name(one)).collect();
            assert_eq!(names.len(), 4);
        }
    }
}
