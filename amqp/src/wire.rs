//! Performatives to bytes and back. Every list has all of its fields.

use bytes::BytesMut;

use crate::codec::{CodecError, List, Reader};
use crate::delivery::{Outcome, ReceiverSettleMode, Role, SenderSettleMode};
use crate::error::Error;
use crate::performative::{Attach, Begin, Detach, Disposition, Flow, Open, Performative, Transfer};
use crate::terminus::{Source, Target};

type Result<T> = std::result::Result<T, CodecError>;

const OPEN: u8 = 0x10;
const BEGIN: u8 = 0x11;
const ATTACH: u8 = 0x12;
const FLOW: u8 = 0x13;
const TRANSFER: u8 = 0x14;
const DISPOSITION: u8 = 0x15;
const DETACH: u8 = 0x16;
const END: u8 = 0x17;
const CLOSE: u8 = 0x18;

impl Performative {
    pub(crate) fn write(&self, out: &mut BytesMut) {
        match self {
            Self::Open(open) => open.write(out),
            Self::Begin(begin) => begin.write(out),
            Self::Attach(attach) => attach.write(out),
            Self::Flow(flow) => flow.write(out),
            Self::Transfer(transfer) => transfer.write(out),
            Self::Disposition(disposition) => disposition.write(out),
            Self::Detach(detach) => {
                let mut list = List::begin(out, DETACH);
                list.uint(detach.handle);
                list.bool(detach.closed);
                list.field(detach.error.as_ref(), Error::write);
                list.finish();
            }
            Self::End(error) => ending(out, END, error.as_ref()),
            Self::Close(error) => ending(out, CLOSE, error.as_ref()),
        }
    }

    /// The performative at the beginning of a frame's body.
    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let code = reader.descriptor()?;
        Ok(match u8::try_from(code).unwrap_or_default() {
            OPEN => Self::Open(Box::new(Open::read(reader)?)),
            BEGIN => Self::Begin(Box::new(Begin::read(reader)?)),
            ATTACH => Self::Attach(Box::new(Attach::read(reader)?)),
            FLOW => Self::Flow(Box::new(Flow::read(reader)?)),
            TRANSFER => Self::Transfer(Transfer::read(reader)?),
            DISPOSITION => Self::Disposition(Disposition::read(reader)?),
            DETACH => {
                let mut fields = reader.list()?;
                let detach = Detach {
                    handle: fields.uint()?.ok_or(CodecError::Missing("detach.handle"))?,
                    closed: fields.bool()?.unwrap_or_default(),
                    error: Error::field(&mut fields)?,
                };
                fields.finish();
                Self::Detach(detach)
            }
            END => Self::End(read_ending(reader)?),
            CLOSE => Self::Close(read_ending(reader)?),
            _ => return Err(CodecError::Descriptor(code)),
        })
    }
}

fn ending(out: &mut BytesMut, code: u8, error: Option<&Error>) {
    let mut list = List::begin(out, code);
    if error.is_some() {
        list.field(error, Error::write);
    }
    list.finish();
}

fn read_ending(reader: &mut Reader<'_>) -> Result<Option<Error>> {
    let mut fields = reader.list()?;
    let error = Error::field(&mut fields)?;
    fields.finish();
    Ok(error)
}

impl Open {
    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, OPEN);
        list.string(Some(&self.container_id));
        list.string(self.hostname.as_deref());
        list.uint(self.max_frame_size);
        list.ushort(self.channel_max);
        list.uint(self.idle_time_out);
        list.symbols(&self.outgoing_locales);
        list.symbols(&self.incoming_locales);
        list.symbols(&self.offered_capabilities);
        list.symbols(&self.desired_capabilities);
        list.map(&self.properties);
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut fields = reader.list()?;
        let open = Self {
            container_id: fields.text()?.unwrap_or_default(),
            hostname: fields.text()?,
            max_frame_size: fields.uint()?.unwrap_or(u32::MAX),
            channel_max: fields.ushort()?.unwrap_or(u16::MAX),
            idle_time_out: fields.uint()?,
            outgoing_locales: fields.symbols()?,
            incoming_locales: fields.symbols()?,
            offered_capabilities: fields.symbols()?,
            desired_capabilities: fields.symbols()?,
            properties: fields.map()?,
        };
        fields.finish();
        Ok(open)
    }
}

impl Begin {
    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, BEGIN);
        list.ushort(self.remote_channel);
        list.uint(self.next_outgoing_id);
        list.uint(self.incoming_window);
        list.uint(self.outgoing_window);
        list.uint(self.handle_max);
        list.symbols(&self.offered_capabilities);
        list.symbols(&self.desired_capabilities);
        list.map(&self.properties);
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut fields = reader.list()?;
        let begin = Self {
            remote_channel: fields.ushort()?,
            next_outgoing_id: fields.uint()?.ok_or(CodecError::Missing("begin.next-outgoing-id"))?,
            incoming_window: fields.uint()?.ok_or(CodecError::Missing("begin.incoming-window"))?,
            outgoing_window: fields.uint()?.ok_or(CodecError::Missing("begin.outgoing-window"))?,
            handle_max: fields.uint()?.unwrap_or(u32::MAX),
            offered_capabilities: fields.symbols()?,
            desired_capabilities: fields.symbols()?,
            properties: fields.map()?,
        };
        fields.finish();
        Ok(begin)
    }
}

impl Attach {
    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, ATTACH);
        list.string(Some(&self.name));
        list.uint(self.handle);
        list.bool(self.role.is_receiver());
        if self.source.is_none() && self.target.is_none() && self.initial_delivery_count.is_none() {
            // A refusal, as Azure writes it.
            list.nulls(11);
            return list.finish();
        }
        list.ubyte(self.snd_settle_mode.number());
        list.ubyte(self.rcv_settle_mode.number());
        list.field(self.source.as_ref(), Source::write);
        list.field(self.target.as_ref(), Target::write);
        list.map(&self.unsettled);
        list.bool(self.incomplete_unsettled.then_some(true));
        list.uint(self.initial_delivery_count);
        list.ulong(self.max_message_size);
        list.symbols(&self.offered_capabilities);
        list.symbols(&self.desired_capabilities);
        list.map(&self.properties);
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut fields = reader.list()?;
        let name = fields.text()?.ok_or(CodecError::Missing("attach.name"))?;
        let handle = fields.uint()?.ok_or(CodecError::Missing("attach.handle"))?;
        let role = Role::from_receiver(fields.bool()?.ok_or(CodecError::Missing("attach.role"))?);
        let snd_settle_mode = SenderSettleMode::from_number(fields.ubyte()?);
        let rcv_settle_mode = ReceiverSettleMode::from_number(fields.ubyte()?);
        let source = Source::field(&mut fields)?;
        let (target, coordinator) = Target::field(&mut fields)?;
        let attach = Self {
            name,
            handle,
            role,
            snd_settle_mode,
            rcv_settle_mode,
            source,
            target,
            coordinator,
            unsettled: fields.map()?,
            incomplete_unsettled: fields.bool()?.unwrap_or_default(),
            initial_delivery_count: fields.uint()?,
            max_message_size: fields.ulong()?,
            offered_capabilities: fields.symbols()?,
            desired_capabilities: fields.symbols()?,
            properties: fields.map()?,
        };
        fields.finish();
        Ok(attach)
    }
}

impl Flow {
    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, FLOW);
        list.uint(self.next_incoming_id);
        list.uint(self.incoming_window);
        list.uint(self.next_outgoing_id);
        list.uint(self.outgoing_window);
        list.uint(self.handle);
        list.uint(self.delivery_count);
        list.uint(self.link_credit);
        list.uint(self.available);
        // Without a link there is nothing to drain.
        list.bool(self.handle.map(|_| self.drain));
        list.bool(self.echo);
        list.map(&self.properties);
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut fields = reader.list()?;
        let flow = Self {
            next_incoming_id: fields.uint()?,
            incoming_window: fields.uint()?.ok_or(CodecError::Missing("flow.incoming-window"))?,
            next_outgoing_id: fields.uint()?.ok_or(CodecError::Missing("flow.next-outgoing-id"))?,
            outgoing_window: fields.uint()?.ok_or(CodecError::Missing("flow.outgoing-window"))?,
            handle: fields.uint()?,
            delivery_count: fields.uint()?,
            link_credit: fields.uint()?,
            available: fields.uint()?,
            drain: fields.bool()?.unwrap_or_default(),
            echo: fields.bool()?.unwrap_or_default(),
            properties: fields.map()?,
        };
        fields.finish();
        Ok(flow)
    }
}

impl Transfer {
    /// As the engine sends it: with `first`, the number of the delivery and whether it is settled, or as a part that follows.
    pub(crate) fn write_own(
        out: &mut BytesMut,
        handle: u32,
        first: Option<(u32, bool)>,
        tag: Option<&[u8]>,
        more: bool,
    ) {
        let mut list = List::begin(out, TRANSFER);
        list.uint(handle);
        list.uint(first.map(|(id, _)| id));
        list.binary(tag);
        list.uint(first.map(|_| 0));
        list.bool(first.map(|(_, settled)| settled));
        list.bool(more);
        list.nulls(4);
        list.bool(false);
        list.finish();
    }

    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, TRANSFER);
        list.uint(self.handle);
        list.uint(self.delivery_id);
        list.binary(self.delivery_tag.as_deref());
        list.uint(self.message_format);
        list.bool(self.settled);
        list.bool(self.more);
        list.ubyte(self.rcv_settle_mode.map(ReceiverSettleMode::number));
        list.field(self.state.as_ref(), Outcome::write);
        list.bool(self.resume.then_some(true));
        list.bool(self.aborted.then_some(true));
        list.bool(self.batchable);
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut fields = reader.list()?;
        let transfer = Self {
            handle: fields.uint()?.ok_or(CodecError::Missing("transfer.handle"))?,
            delivery_id: fields.uint()?,
            delivery_tag: fields.binary()?,
            message_format: fields.uint()?,
            settled: fields.bool()?,
            more: fields.bool()?.unwrap_or_default(),
            rcv_settle_mode: fields.ubyte()?.map(|number| ReceiverSettleMode::from_number(Some(number))),
            state: Outcome::field(&mut fields)?,
            resume: fields.bool()?.unwrap_or_default(),
            aborted: fields.bool()?.unwrap_or_default(),
            batchable: fields.bool()?.unwrap_or_default(),
        };
        fields.finish();
        Ok(transfer)
    }
}

impl Disposition {
    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, DISPOSITION);
        list.bool(self.role.is_receiver());
        list.uint(self.first);
        list.uint(self.last);
        list.bool(self.settled);
        list.field(self.state.as_ref(), Outcome::write);
        list.bool(self.batchable.then_some(true));
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let mut fields = reader.list()?;
        let disposition = Self {
            role: Role::from_receiver(fields.bool()?.ok_or(CodecError::Missing("disposition.role"))?),
            first: fields.uint()?.ok_or(CodecError::Missing("disposition.first"))?,
            last: fields.uint()?,
            settled: fields.bool()?.unwrap_or_default(),
            state: Outcome::field(&mut fields)?,
            batchable: fields.bool()?.unwrap_or_default(),
        };
        fields.finish();
        Ok(disposition)
    }
}
