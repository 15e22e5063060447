//! The exchange with the OFD through the host (`shtrih-m` 3.9): FF30 to FF33, and tickets (FF3C).
//!
//! Owns: the field order of each.
//! Must never: look into a message; the host passes it on unchanged.

use super::cursor::{AllBut, Counted, DecodeError, EncodeError, Fields, OrZero, Reader, Rest, Writer, wire_struct};
use super::password::Password;
use crate::value::{FdNumber, LocalTime};

wire_struct! {
    /// Answer to FF30 (3.9).
    pub struct OfdBuffer {
        /// Bytes waiting for the OFD; 0: nothing.
        pub waiting: u16,
        /// Most bytes one FF31 may ask for.
        pub max_block: u8,
    }
}

wire_struct! {
    /// FF31 (3.9): read a block of the message to the OFD.
    pub struct ReadOfdBlock {
        /// Password of the system administrator.
        pub password: Password,
        /// Where the block begins.
        pub offset: u16,
        /// How many bytes.
        pub count: u8,
    }
}

wire_struct! {
    /// FF32 (3.9): begin the answer of the OFD.
    pub struct BeginOfdAnswer {
        /// Password of the system administrator.
        pub password: Password,
        /// Size of the whole answer, header included.
        pub size: u16,
    }
}

wire_struct! {
    /// FF33 (3.9): a block of the answer of the OFD.
    pub struct WriteOfdBlock {
        /// Password of the system administrator.
        pub password: Password,
        /// Where the block begins.
        pub offset: u16,
        /// The block; its length stands before it in one byte.
        pub data: Vec<u8> as Counted,
    }
}

wire_struct! {
    /// Answer to FF3C (3.7): the vendor text says "N bytes"; one driver knows what they are, see [`FnTicket::parts`].
    pub struct FnTicket {
        /// As the FN keeps it.
        pub body: Vec<u8> as Rest,
    }
}

wire_struct! {
    /// A ticket as one driver reads it (3.7).
    pub struct TicketParts {
        /// When the OFD took the document.
        pub time: Option<LocalTime> as OrZero,
        /// Fiscal sign of the OFD; 18 bytes in the one source, fewer taken (`fn-ffd-ofd` C.1: 16 to 18).
        pub sign: Vec<u8> as AllBut<4>,
        /// The document.
        pub fd: FdNumber,
    }
}

impl FnTicket {
    /// The body by its parts.
    ///
    /// # Errors
    /// [`DecodeError`] when it is too short or its time is none; the bytes remain in [`FnTicket::body`].
    pub fn parts(&self) -> Result<TicketParts, DecodeError> {
        TicketParts::read(&mut Reader::new(&self.body))
    }
}

impl TicketParts {
    /// The body of a ticket.
    ///
    /// # Errors
    /// [`EncodeError`] when the year has no byte.
    pub fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        let mut writer = Writer::default();
        self.write(&mut writer)?;
        Ok(writer.into_bytes())
    }
}
