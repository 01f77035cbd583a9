//! The register file of the emulated chip (datasheet sections 3, 5.3 and 9.1).

use crate::bme280::{
    Calibration, DATA_AT_RESET, RESET_WORD, RawReading, Register, STATUS_IM_UPDATE, STATUS_MEASURING,
};

/// Copying the trimming values takes so long after a reset.
const IM_UPDATE_NS: u64 = 2_000_000;
const SKIPPED: u32 = 0x8_0000;
/// The mode bits of `ctrl_meas`: 0 sleep, 1 and 2 forced, 3 normal.
const MODE: u8 = 0x03;

/// What a measurement ends with.
pub(super) enum Sample {
    /// Counts as the converter would give them: resolution and filter still apply.
    Analog(RawReading),
    /// Counts as they shall stand in the registers.
    Exact(RawReading),
}

pub(super) struct RegisterFile {
    bytes: [u8; 256],
    calibration_first: [u8; 26],
    calibration_second: [u8; 7],
    id: u8,
    pointer: u8,
    /// When the trimming values will have been copied, while they are being copied.
    loading_until: Option<u64>,
    /// When the running measurement ends.
    measuring_until: Option<u64>,
    /// Humidity oversampling as last taken over by a write to `ctrl_meas`.
    osrs_h: u8,
    /// Filtered temperature and pressure, once there are any.
    filtered: Option<(f64, f64)>,
}

impl RegisterFile {
    pub(super) fn new(calibration_first: [u8; 26], calibration_second: [u8; 7]) -> Self {
        let mut file = Self {
            bytes: [0; 256],
            calibration_first,
            calibration_second,
            id: 0x60,
            pointer: 0,
            loading_until: None,
            measuring_until: None,
            osrs_h: 0,
            filtered: None,
        };
        file.power_on(0);
        file
    }

    pub(super) fn power_on(&mut self, now_ns: u64) {
        self.bytes = [0; 256];
        self.bytes[usize::from(Register::ID.0)] = self.id;
        self.put(Register::DATA, &DATA_AT_RESET);
        self.bytes[usize::from(Register::STATUS.0)] = STATUS_IM_UPDATE;
        self.loading_until = Some(now_ns + IM_UPDATE_NS);
        self.measuring_until = None;
        self.osrs_h = 0;
        self.filtered = None;
    }

    pub(super) fn set_id(&mut self, id: u8) {
        self.id = id;
        self.bytes[usize::from(Register::ID.0)] = id;
    }

    pub(super) fn pointer(&self) -> u8 {
        self.pointer
    }

    pub(super) fn peek(&self, register: u8) -> u8 {
        self.bytes[usize::from(register)]
    }

    pub(super) fn calibration(&self) -> Calibration {
        Calibration::from_registers(&self.calibration_first, &self.calibration_second)
    }

    pub(super) fn load_calibration(&mut self, now_ns: u64, succeeds: bool) {
        if succeeds && self.loading_until.is_some_and(|until| now_ns >= until) {
            self.loading_until = None;
            self.bytes[usize::from(Register::STATUS.0)] &= !STATUS_IM_UPDATE;
            let (first, second) = (self.calibration_first, self.calibration_second);
            self.put(Register::CALIBRATION, &first);
            if self.has_humidity() {
                self.put(Register::CALIBRATION_HUMIDITY, &second);
            }
        }
    }

    pub(super) fn measurement_due(&self, now_ns: u64) -> bool {
        self.measuring_until.is_some_and(|until| now_ns >= until)
    }

    /// Ends the running measurement; without a sample the data registers stay as they are.
    pub(super) fn finish_measurement(&mut self, now_ns: u64, sample: Option<Sample>) {
        if let Some(sample) = sample {
            let raw = match sample {
                Sample::Exact(raw) => raw,
                Sample::Analog(raw) => self.converted(raw),
            };
            let data = self.without_skipped(raw).to_registers();
            self.put(Register::DATA, &data);
        }
        let normal_mode = self.ctrl_meas() & MODE == MODE;
        if normal_mode {
            self.measuring_until = Some(now_ns + self.measurement_ns());
        } else {
            self.measuring_until = None;
            self.bytes[usize::from(Register::STATUS.0)] &= !STATUS_MEASURING;
            self.bytes[usize::from(Register::CTRL_MEAS.0)] &= !MODE;
        }
    }

    /// A read counts the address up by itself.
    pub(super) fn read(&mut self, buffer: &mut [u8]) {
        for byte in buffer {
            *byte = self.bytes[usize::from(self.pointer)];
            self.pointer = self.pointer.wrapping_add(1);
        }
    }

    /// A write is an address alone, for a read to follow, or pairs of address and value.
    pub(super) fn write(&mut self, bytes: &[u8], now_ns: u64) {
        if let Some(&first) = bytes.first() {
            self.pointer = first;
        }
        for pair in bytes.chunks_exact(2) {
            self.write_register(Register(pair[0]), pair[1], now_ns);
        }
    }

    fn write_register(&mut self, register: Register, value: u8, now_ns: u64) {
        let place = usize::from(register.0);
        match register {
            Register::RESET if value == RESET_WORD => self.power_on(now_ns),
            Register::CTRL_HUM if self.has_humidity() => self.bytes[place] = value & 0x07,
            Register::CONFIG if self.ctrl_meas() & MODE != MODE => self.bytes[place] = value & 0xFD,
            Register::CTRL_MEAS => {
                self.bytes[place] = value;
                self.osrs_h = self.bytes[usize::from(Register::CTRL_HUM.0)];
                let asleep = value & MODE == 0;
                if asleep {
                    self.measuring_until = None;
                    self.bytes[usize::from(Register::STATUS.0)] &= !STATUS_MEASURING;
                } else {
                    self.measuring_until = Some(now_ns + self.measurement_ns());
                    self.bytes[usize::from(Register::STATUS.0)] |= STATUS_MEASURING;
                }
            }
            _ => {}
        }
    }

    /// Typical duration (section 9.1).
    fn measurement_ns(&self) -> u64 {
        let channel = |osrs: u8, settle_us: u64| match conversions(osrs) {
            0 => 0,
            count => 2000 * count + settle_us,
        };
        let micros =
            1000 + channel(self.osrs_t(), 0) + channel(self.osrs_p(), 500) + channel(self.osrs_h, 500);
        micros * 1000
    }

    /// Applies resolution (16 bits at x1, one more for each step, 20 with the filter on) and the filter.
    fn converted(&mut self, raw: RawReading) -> RawReading {
        let coefficient = match self.bytes[usize::from(Register::CONFIG.0)] >> 2 & 0x07 {
            0 => 1.0,
            setting => f64::from(1u32 << setting.min(4)),
        };
        let (temperature, pressure) = (f64::from(raw.temperature), f64::from(raw.pressure));
        let (temperature_before, pressure_before) = self.filtered.unwrap_or((temperature, pressure));
        let filter = |before: f64, new: f64| (before * (coefficient - 1.0) + new) / coefficient;
        let filtered = (filter(temperature_before, temperature), filter(pressure_before, pressure));
        self.filtered = (coefficient > 1.0).then_some(filtered);
        let resolved = |value: f64, osrs: u8| {
            let dropped = if coefficient > 1.0 { 0 } else { 4u32.saturating_sub(u32::from(osrs.max(1)) - 1) };
            (value.round() as u32) >> dropped << dropped
        };
        RawReading {
            temperature: resolved(filtered.0, self.osrs_t()),
            pressure: resolved(filtered.1, self.osrs_p()),
            humidity: raw.humidity,
        }
    }

    fn without_skipped(&self, raw: RawReading) -> RawReading {
        RawReading {
            temperature: if self.osrs_t() == 0 { SKIPPED } else { raw.temperature },
            pressure: if self.osrs_p() == 0 { SKIPPED } else { raw.pressure },
            humidity: if self.osrs_h == 0 || !self.has_humidity() { 0x8000 } else { raw.humidity },
        }
    }

    fn has_humidity(&self) -> bool {
        self.id == 0x60
    }

    fn ctrl_meas(&self) -> u8 {
        self.bytes[usize::from(Register::CTRL_MEAS.0)]
    }

    fn osrs_t(&self) -> u8 {
        self.ctrl_meas() >> 5
    }

    fn osrs_p(&self) -> u8 {
        self.ctrl_meas() >> 2 & 0x07
    }

    fn put(&mut self, register: Register, bytes: &[u8]) {
        let start = usize::from(register.0);
        self.bytes[start..start + bytes.len()].copy_from_slice(bytes);
    }
}

fn conversions(osrs: u8) -> u64 {
    match osrs & 0x07 {
        0 => 0,
        setting => 1 << (setting.min(5) - 1),
    }
}
