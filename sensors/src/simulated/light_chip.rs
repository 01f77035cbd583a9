//! A VEML7700 emulated at its registers: what a driver writes and reads on the bus, it answers as the chip would.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use super::air::search;
use super::chip::{ChipError, ChipFault};
use crate::light::{ADDRESS, CONFIGURATION_AT_RESET, Gain, ID, IntegrationTime, Range, Register, SHUTDOWN};

/// Time on the bus for one byte at 400 kHz, with its acknowledge bit.
const BYTE_NS: u64 = 22_500;
/// From awake to the start of the first value.
const WAKING_NS: u64 = 2_500_000;
/// What the oscillator of a slow part takes for a nominal 100.
const SLOW: u64 = 110;
/// High byte of the ID: the variant with address 0x10.
const VARIANT: u16 = 0xC4;

/// A handle on an emulated chip. Clones share the chip: one goes to the driver as its bus, one stays with the test or
/// the simulation that decides what light falls on it.
#[derive(Clone)]
pub struct Veml7700Chip(Arc<Mutex<Inner>>);

struct Inner {
    registers: [u16; 8],
    fault: Option<ChipFault>,
    light: Light,
    now_ns: u64,
    /// When the value that is being gathered will stand in its register, while the chip is awake.
    ready_at: Option<u64>,
}

enum Light {
    Counts(u16),
    Source(Box<dyn FnMut() -> f64 + Send>),
}

impl Veml7700Chip {
    /// A chip that has just got power, in the dark.
    pub fn new() -> Self {
        let mut inner =
            Inner { registers: [0; 8], fault: None, light: Light::Counts(0), now_ns: 0, ready_at: None };
        inner.registers[usize::from(Register::ID.0)] = VARIANT << 8 | u16::from(ID);
        inner.power_on();
        Self(Arc::new(Mutex::new(inner)))
    }

    /// From now on so many lx fall on the chip.
    pub fn set_light(&self, lux: f64) {
        self.set_source(move || lux);
    }

    /// From now on the chip asks for the light in lx with every value.
    pub fn set_source(&self, light: impl FnMut() -> f64 + Send + 'static) {
        self.lock().light = Light::Source(Box::new(light));
    }

    /// From now on every value has so many counts, whatever the range.
    pub fn set_counts(&self, counts: u16) {
        self.lock().light = Light::Counts(counts);
    }

    /// Breaks something, or mends it with `None`.
    pub fn set_fault(&self, fault: Option<ChipFault>) {
        self.lock().fault = fault;
    }

    /// Makes the chip call itself by another ID; early parts have none, which is 0.
    pub fn set_id(&self, id: u16) {
        self.lock().registers[usize::from(Register::ID.0)] = id;
    }

    /// Takes the supply away for a moment: all settings are forgotten.
    pub fn lose_power(&self) {
        self.lock().power_on();
    }

    /// What a register holds, without a bus in between.
    pub fn peek(&self, register: Register) -> u16 {
        let mut inner = self.lock();
        inner.settle();
        inner.registers[usize::from(register.0)]
    }

    /// Pauses that pass in the chip's own time, at once.
    pub fn delay(&self) -> LightChipDelay {
        LightChipDelay(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Veml7700Chip {
    fn default() -> Self {
        Self::new()
    }
}

impl Inner {
    fn power_on(&mut self) {
        let id = self.registers[usize::from(Register::ID.0)];
        self.registers = [0; 8];
        self.registers[usize::from(Register::ID.0)] = id;
        self.registers[usize::from(Register::CONFIGURATION.0)] = CONFIGURATION_AT_RESET;
        self.ready_at = None;
    }

    fn range(&self) -> Option<Range> {
        let configuration = self.registers[usize::from(Register::CONFIGURATION.0)];
        let gain = Gain::ALL.into_iter().find(|gain| gain.bits() == configuration >> 11 & 0b11)?;
        let time =
            IntegrationTime::ALL.into_iter().find(|time| time.bits() == configuration >> 6 & 0b1111)?;
        Some(Range { gain, time })
    }

    fn gathering_ns(&self) -> u64 {
        let time = self.range().map_or(IntegrationTime::Ms100, |range| range.time);
        time.duration().as_nanos() as u64 * SLOW / 100
    }

    /// Lets everything happen that is due by now: while it is awake, one value follows the other.
    fn settle(&mut self) {
        let (Some(ready_at), Some(range)) = (self.ready_at, self.range()) else {
            return;
        };
        if self.now_ns >= ready_at && self.fault != Some(ChipFault::NeverFinishes) {
            let counts = match &mut self.light {
                Light::Counts(counts) => *counts,
                Light::Source(lux) => {
                    let lux = lux();
                    search(u32::from(u16::MAX), lux, |counts| range.lux(counts as u16)) as u16
                }
            };
            self.registers[usize::from(Register::LIGHT.0)] = counts;
            let gathering = self.gathering_ns();
            self.ready_at = Some(ready_at + gathering * (1 + (self.now_ns - ready_at) / gathering));
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let [register, low, high] = *bytes else {
            return;
        };
        let value = u16::from_le_bytes([low, high]);
        match Register(register) {
            Register::CONFIGURATION => {
                self.registers[0] = value;
                let begins_at = self.now_ns + WAKING_NS;
                self.ready_at = (value & SHUTDOWN == 0).then(|| begins_at + self.gathering_ns());
            }
            // The thresholds of the interrupt.
            Register(0x01 | 0x02) | Register::POWER_SAVING => self.registers[usize::from(register)] = value,
            _ => {}
        }
    }

    fn operate(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ChipError> {
        self.settle();
        if address != ADDRESS || self.fault == Some(ChipFault::NoAcknowledge) {
            return Err(ChipError(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)));
        }
        if self.fault == Some(ChipFault::BusError) {
            return Err(ChipError(ErrorKind::Bus));
        }
        let mut register = 0;
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    self.now_ns += BYTE_NS * (bytes.len() as u64 + 1);
                    register = bytes.first().copied().unwrap_or_default();
                    if !matches!(self.fault, Some(ChipFault::AllOnes | ChipFault::AllZeros)) {
                        self.write(bytes);
                    }
                }
                Operation::Read(buffer) => {
                    self.now_ns += BYTE_NS * (buffer.len() as u64 + 1);
                    let value = self.registers.get(usize::from(register)).copied().unwrap_or_default();
                    let value = match self.fault {
                        Some(ChipFault::AllOnes) => u16::MAX,
                        Some(ChipFault::AllZeros) => 0,
                        _ => value,
                    };
                    for (byte, held) in buffer.iter_mut().zip(value.to_le_bytes()) {
                        *byte = held;
                    }
                }
            }
        }
        Ok(())
    }
}

impl ErrorType for Veml7700Chip {
    type Error = ChipError;
}

impl I2c for Veml7700Chip {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ChipError> {
        self.lock().operate(address, operations)
    }
}

/// See [`Veml7700Chip::delay`].
#[derive(Clone)]
pub struct LightChipDelay(Veml7700Chip);

impl DelayNs for LightChipDelay {
    fn delay_ns(&mut self, ns: u32) {
        self.0.lock().now_ns += u64::from(ns);
    }
}
