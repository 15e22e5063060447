//! A simulated Shtrih-M register as its host sees it: only bytes go in and out.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod bench;
mod capabilities;
mod commands;
mod corrections;
mod defects;
mod faults;
mod fn_closing;
mod fn_rules;
mod golden;
mod link;
mod link_v2;
mod matrix;
mod modes;
mod old_set;
mod readme;
mod receipts;
mod records;
mod registration;
mod relay;
mod replay;
mod service;
mod tables;
mod totals;
