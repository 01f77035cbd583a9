//! Lists, maps and arrays whose size is known when they have been written.

use bytes::{BufMut, BytesMut};

/// A list, map or array whose size is known when it has been written.
pub(super) struct Compound {
    at: usize,
}

impl Compound {
    /// Leaves room for the short form.
    pub(super) fn begin(out: &mut BytesMut) -> Self {
        let at = out.len();
        out.put_slice(&[0; 3]);
        Self { at }
    }

    /// Writes code, size and count in front; moves what was written where they need more room.
    pub(super) fn finish(self, out: &mut BytesMut, short: u8, long: u8, count: usize) {
        const WIDER: usize = 6;
        let body = out.len() - self.at - 3;
        if let (Ok(size), Ok(count)) = (u8::try_from(body + 1), u8::try_from(count)) {
            out[self.at..self.at + 3].copy_from_slice(&[short, size, count]);
            return;
        }
        out.put_slice(&[0; WIDER]);
        out.copy_within(self.at + 3..self.at + 3 + body, self.at + 3 + WIDER);
        out[self.at] = long;
        out[self.at + 1..self.at + 5].copy_from_slice(&(body as u32 + 4).to_be_bytes());
        out[self.at + 5..self.at + 9].copy_from_slice(&(count as u32).to_be_bytes());
    }
}
