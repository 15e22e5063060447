//! What goes to standard output for people and for pipes.
//!
//! Owns: the end of the program when nobody reads any more.
//! Must never: panic because a reader such as `head` has gone.

use crate::failure::CANNOT_TELL;
use std::fmt::Arguments;
use std::io::{ErrorKind, Write, stdout};

/// Prints, or ends the program where it cannot be written: what was ordered has been carried out by then, and the
/// daemon tells it again.
pub(crate) fn text(text: Arguments<'_>) {
    let mut out = stdout().lock();
    let Err(error) = out.write_fmt(text).and_then(|()| out.flush()) else {
        return;
    };
    if error.kind() != ErrorKind::BrokenPipe {
        eprintln!("kassettectl: standard output cannot be written: {error}");
    }
    std::process::exit(i32::from(CANNOT_TELL));
}

/// A line for a reader that may go away.
macro_rules! say {
    ($($text:tt)*) => { $crate::say::text(format_args!("{}\n", format_args!($($text)*))) };
}

/// Text that has its own line ends, for a reader that may go away.
macro_rules! say_text {
    ($($text:tt)*) => { $crate::say::text(format_args!($($text)*)) };
}

pub(crate) use {say, say_text};
