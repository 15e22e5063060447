//! The file that `receipt submit` takes.
//!
//! Owns: its form (JSON of `kassette.v1.Receipt`), its size limit and its example.
//! Must never: fill in a field.

use crate::failure::Failure;
use crate::json;
use kassette_api::v1::Receipt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// A receipt that the law of 2026 allows, shown in the help and read by a test.
pub const EXAMPLE: &str = r#"{
  "settlement_sign": 1,
  "tax_system": 1,
  "items": [
    {
      "name": "Coffee",
      "price_kopecks": 12200,
      "quantity_millionths": 1000000,
      "amount_kopecks": 12200,
      "measure": 0,
      "vat_rate": 11,
      "payment_method": 4,
      "item_kind": 1
    }
  ],
  "total_kopecks": 12200,
  "payments": { "noncash_kopecks": 12200 },
  "buyer": { "contact": "buyer@example.com" }
}"#;

/// Largest file that is read; the largest receipt is far below.
const FILE_MAX: u64 = 1024 * 1024;

/// The text of a file, or of standard input for `-`.
pub fn text(path: &Path) -> Result<String, Failure> {
    let name = path.display();
    let next = "Name a file that can be read, or - for standard input.";
    let unreadable = |error: std::io::Error| Failure::usage(format!("{name} cannot be read: {error}"), next);
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(File::open(path).map_err(unreadable)?),
    };
    let mut text = String::new();
    source
        .take(FILE_MAX + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > FILE_MAX {
        return Err(Failure::usage(format!("{name} is larger than {FILE_MAX} bytes"), next));
    }
    Ok(text)
}

/// The receipt in a file.
pub fn receipt(path: &Path) -> Result<Receipt, Failure> {
    let next = "Correct the file; 'kassettectl receipt submit --help' shows the form and an example.";
    json::read("Receipt", &text(path)?)
        .map_err(|error| Failure::usage(format!("{} is not a receipt: {error:#}", path.display()), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_help_is_a_receipt_and_comes_back_the_same() {
        let receipt: Receipt = json::read("Receipt", EXAMPLE).unwrap();
        assert_eq!(receipt.items[0].price_kopecks, Some(12_200));
        assert_eq!(receipt.payments.as_ref().unwrap().cash_kopecks, None);
        let shown = json::show("Receipt", &receipt).unwrap();
        assert_eq!(shown, serde_json::from_str::<serde_json::Value>(EXAMPLE).unwrap());
    }

    #[test]
    fn absent_zero_and_empty_are_three_things_in_a_file_too() {
        let read = |text| json::read::<Receipt>("Receipt", text).unwrap();
        assert_eq!(read("{}").tax_system, None);
        assert_eq!(read(r#"{"tax_system": 0}"#).tax_system, Some(0));
        assert_eq!(
            read(r#"{"additional_attribute": ""}"#).additional_attribute.as_deref(),
            Some("")
        );
        assert_eq!(
            json::show("Receipt", &read(r#"{"tax_system": 0}"#)).unwrap()["tax_system"],
            0
        );
    }

    #[test]
    fn what_is_no_receipt_is_refused_and_never_guessed_at() {
        for text in [
            "",
            "[]",
            "{",
            "{} {}",
            r#"{"colour": 1}"#,
            r#"{"tax_system": -1}"#,
            r#"{"tax_system": 1.5}"#,
            r#"{"total_kopecks": 1e30}"#,
            r#"{"items": {}}"#,
        ] {
            assert!(json::read::<Receipt>("Receipt", text).is_err(), "{text}");
        }
    }
}
