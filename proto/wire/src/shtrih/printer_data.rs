//! What requests to the printer carry (captures; names by the vendor's pre-FN text).
//!
//! Owns: the field order of lines, feeds, graphics and barcodes.
//! Must never: lay out text or draw; the bytes are the host's.

use super::cursor::{Rest, wire_struct};
use super::password::Password;

wire_struct! {
    /// 17: a line. Layout of 2F without the font, not captured.
    pub struct PrintLine {
        /// Password of the operator.
        pub password: Password,
        /// Bit 0 journal, bit 1 receipt.
        pub rolls: u8,
        /// Text in windows-1251, mostly padded with zeros to 40 bytes.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 2F (captures): a line in a font.
    pub struct PrintFontLine {
        /// Password of the operator.
        pub password: Password,
        /// Bit 0 journal, bit 1 receipt.
        pub rolls: u8,
        /// Font number from 1.
        pub font: u8,
        /// Text in windows-1251, padded with zeros to the width of the font or not.
        pub text: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// 25 (captures): cut the receipt.
    pub struct CutPaper {
        /// Password of the operator.
        pub password: Password,
        /// 0 whole, 1 not whole.
        pub partial: u8,
    }
}

wire_struct! {
    /// 28 (2, matrix): pulse to the drawer. Its one field not captured.
    pub struct OpenDrawer {
        /// Password of the operator.
        pub password: Password,
        /// Drawer number from 0.
        pub drawer: u8,
    }
}

wire_struct! {
    /// 29 (2, matrix): feed. Its two fields not captured.
    pub struct FeedPaper {
        /// Password of the operator.
        pub password: Password,
        /// Bit 0 journal, bit 1 receipt, bit 2 slip.
        pub rolls: u8,
        /// How many lines.
        pub lines: u8,
    }
}

wire_struct! {
    /// C0 (captures): load a line of graphics.
    pub struct LoadGraphics {
        /// Password of the operator.
        pub password: Password,
        /// Line number.
        pub line: u8,
        /// Dots of the line, 40 bytes.
        pub dots: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// C4 (captures): load a line of extended graphics.
    pub struct LoadExtendedGraphics {
        /// Password of the operator.
        pub password: Password,
        /// Line number.
        pub line: u16,
        /// Dots of the line, 40 bytes.
        pub dots: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// C1 (captures): print graphics.
    pub struct PrintGraphics {
        /// Password of the operator.
        pub password: Password,
        /// First line.
        pub first: u8,
        /// Last line.
        pub last: u8,
    }
}

wire_struct! {
    /// C3 (captures): print extended graphics.
    pub struct PrintExtendedGraphics {
        /// Password of the operator.
        pub password: Password,
        /// First line.
        pub first: u16,
        /// Last line.
        pub last: u16,
    }
}

wire_struct! {
    /// 4F (captures): print graphics scaled.
    pub struct PrintScaledGraphics {
        /// Password of the operator.
        pub password: Password,
        /// First line.
        pub first: u8,
        /// Last line.
        pub last: u8,
        /// Vertical factor.
        pub vertical: u8,
        /// Horizontal factor.
        pub horizontal: u8,
    }
}

wire_struct! {
    /// 4D (captures): print graphics of up to 512 dots scaled.
    pub struct PrintGraphics512 {
        /// Password of the operator.
        pub password: Password,
        /// First line.
        pub first: u16,
        /// Last line.
        pub last: u16,
        /// Vertical factor.
        pub vertical: u8,
        /// Horizontal factor.
        pub horizontal: u8,
        /// Bit 0 journal, bit 1 receipt.
        pub rolls: u8,
    }
}

wire_struct! {
    /// 4E (captures): load lines of graphics of up to 512 dots.
    pub struct LoadGraphics512 {
        /// Password of the operator.
        pub password: Password,
        /// Bytes of one line.
        pub width: u8,
        /// First line.
        pub first: u16,
        /// How many lines.
        pub lines: u16,
        /// Kind of buffer; 1 in every capture.
        pub buffer: u8,
        /// Dots.
        pub dots: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// C5 (captures): print one line of dots many times, as for a barcode.
    pub struct PrintDots {
        /// Password of the operator.
        pub password: Password,
        /// How many times.
        pub repeat: u16,
        /// Dots of the line.
        pub dots: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// CB (captures): print a barcode by the printer's own means.
    pub struct PrintBarcode {
        /// Password of the operator.
        pub password: Password,
        /// Height in dots.
        pub height: u8,
        /// Width of a bar in dots.
        pub bar_width: u8,
        /// Where the text stands.
        pub text_position: u8,
        /// Font of the text.
        pub text_font: u8,
        /// Kind of barcode.
        pub kind: u8,
        /// What it holds.
        pub data: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// DD (captures): load a block of data for DE.
    pub struct LoadBlock {
        /// Password of the operator.
        pub password: Password,
        /// 0: data of a barcode.
        pub kind: u8,
        /// Number of the block of 64 bytes.
        pub block: u8,
        /// Data, at most 64 bytes.
        pub data: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// DE (captures): print a two-dimensional barcode of loaded data.
    pub struct PrintBarcode2d {
        /// Password of the operator.
        pub password: Password,
        /// Kind; 3 QR.
        pub kind: u8,
        /// Bytes of data.
        pub length: u16,
        /// First block.
        pub block: u8,
        /// Five parameters by kind.
        pub parameters: [u8; 5],
        /// 0 left, 1 centre, 2 right.
        pub alignment: u8,
    }
}
