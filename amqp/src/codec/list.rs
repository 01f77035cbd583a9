//! Lists of fields to bytes: performatives, sections, ends of links.

use bytes::{BufMut, BytesMut};

use super::array;
use super::compound::Compound;
use super::format::{DESCRIBED, LIST_8, LIST_32, ULONG_8};
use super::write;
use crate::value::{Map, Value};

/// A described list under way. It gets every field that the standard gives it: some clients look fields up by their place.
pub(crate) struct List<'a> {
    out: &'a mut BytesMut,
    begun: Compound,
    count: usize,
}

impl<'a> List<'a> {
    pub(crate) fn begin(out: &'a mut BytesMut, descriptor: u8) -> Self {
        out.put_slice(&[DESCRIBED, ULONG_8, descriptor]);
        let begun = Compound::begin(out);
        Self { out, begun, count: 0 }
    }

    /// Without fields this is `0xc0 0x01 0x00`: `azure-eventhub` does not read the shorter form.
    pub(crate) fn finish(self) {
        self.begun.finish(self.out, LIST_8, LIST_32, self.count);
    }

    /// A field that something else writes, or null.
    pub(crate) fn field<T>(&mut self, what: Option<T>, write: impl FnOnce(&mut BytesMut, T)) {
        self.count += 1;
        match what {
            Some(what) => write(self.out, what),
            None => write::null(self.out),
        }
    }

    pub(crate) fn nulls(&mut self, count: usize) {
        for _ in 0..count {
            self.field::<()>(None, |_, ()| {});
        }
    }

    pub(crate) fn bool(&mut self, yes: impl Into<Option<bool>>) {
        self.field(yes.into(), write::bool);
    }

    pub(crate) fn ubyte(&mut self, number: impl Into<Option<u8>>) {
        self.field(number.into(), |out, number| write::value(out, &Value::Ubyte(number)));
    }

    pub(crate) fn ushort(&mut self, number: impl Into<Option<u16>>) {
        self.field(number.into(), write::ushort);
    }

    pub(crate) fn uint(&mut self, number: impl Into<Option<u32>>) {
        self.field(number.into(), write::uint);
    }

    pub(crate) fn ulong(&mut self, number: impl Into<Option<u64>>) {
        self.field(number.into(), write::ulong);
    }

    pub(crate) fn string(&mut self, text: Option<&str>) {
        self.field(text, write::string);
    }

    pub(crate) fn symbol(&mut self, text: Option<&str>) {
        self.field(text, write::symbol);
    }

    pub(crate) fn binary(&mut self, bytes: Option<&[u8]>) {
        self.field(bytes, write::binary);
    }

    pub(crate) fn value(&mut self, value: Option<&Value>) {
        self.field(value, write::value);
    }

    /// An array of symbols; null if there are none.
    pub(crate) fn symbols(&mut self, texts: &[String]) {
        self.field((!texts.is_empty()).then_some(texts), array::symbols);
    }

    /// A map with symbols for keys; null if it is empty.
    pub(crate) fn map(&mut self, map: &Map) {
        self.field((!map.is_empty()).then_some(map), write::map_of_symbols);
    }
}
