//! A simulated Shtrih-M register as its host sees it: only bytes go in and out.

mod bench;
mod golden;
mod link;
mod receipts;
