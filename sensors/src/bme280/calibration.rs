//! Trimming values burnt into each part (datasheet section 4.2.2, table 16).

use super::{Quantity, Register};

/// The trimming values of one part, in the datasheet's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs, reason = "the names are the datasheet's; there is nothing to add")]
pub struct Calibration {
    pub dig_t1: u16,
    pub dig_t2: i16,
    pub dig_t3: i16,
    pub dig_p1: u16,
    pub dig_p2: i16,
    pub dig_p3: i16,
    pub dig_p4: i16,
    pub dig_p5: i16,
    pub dig_p6: i16,
    pub dig_p7: i16,
    pub dig_p8: i16,
    pub dig_p9: i16,
    pub dig_h1: u8,
    pub dig_h2: i16,
    pub dig_h3: u8,
    /// 12 bits, signed.
    pub dig_h4: i16,
    /// 12 bits, signed.
    pub dig_h5: i16,
    pub dig_h6: i8,
}

impl Calibration {
    /// Decodes registers 0x88 to 0xA1 and 0xE1 to 0xE7. Every pattern of bits decodes to something; the
    /// driver refuses the patterns that no part has.
    pub fn from_registers(first: &[u8; 26], second: &[u8; 7]) -> Self {
        let u16_at = |at: usize| u16::from_le_bytes([first[at], first[at + 1]]);
        let i16_at = |at: usize| i16::from_le_bytes([first[at], first[at + 1]]);
        Self {
            dig_t1: u16_at(0),
            dig_t2: i16_at(2),
            dig_t3: i16_at(4),
            dig_p1: u16_at(6),
            dig_p2: i16_at(8),
            dig_p3: i16_at(10),
            dig_p4: i16_at(12),
            dig_p5: i16_at(14),
            dig_p6: i16_at(16),
            dig_p7: i16_at(18),
            dig_p8: i16_at(20),
            dig_p9: i16_at(22),
            dig_h1: first[25],
            dig_h2: i16::from_le_bytes([second[0], second[1]]),
            dig_h3: second[2],
            // 0xE5 holds the low nibbles of both: its low half is of H4, its high half of H5.
            dig_h4: signed_12_bit(second[3], second[4] & 0x0F),
            dig_h5: signed_12_bit(second[5], second[4] >> 4),
            dig_h6: i8::from_le_bytes([second[6]]),
        }
    }

    /// The register image [`Calibration::from_registers`] decodes.
    pub fn to_registers(&self) -> ([u8; 26], [u8; 7]) {
        let words: [[u8; 2]; 12] = [
            self.dig_t1.to_le_bytes(),
            self.dig_t2.to_le_bytes(),
            self.dig_t3.to_le_bytes(),
            self.dig_p1.to_le_bytes(),
            self.dig_p2.to_le_bytes(),
            self.dig_p3.to_le_bytes(),
            self.dig_p4.to_le_bytes(),
            self.dig_p5.to_le_bytes(),
            self.dig_p6.to_le_bytes(),
            self.dig_p7.to_le_bytes(),
            self.dig_p8.to_le_bytes(),
            self.dig_p9.to_le_bytes(),
        ];
        let mut first = [0; 26];
        for (place, word) in first.chunks_exact_mut(2).zip(words) {
            place.copy_from_slice(&word);
        }
        first[24] = 0;
        first[25] = self.dig_h1;
        let [h2_low, h2_high] = self.dig_h2.to_le_bytes();
        let shared = (self.dig_h4 & 0x0F) as u8 | ((self.dig_h5 & 0x0F) as u8) << 4;
        let second = [
            h2_low,
            h2_high,
            self.dig_h3,
            (self.dig_h4 >> 4) as u8,
            shared,
            (self.dig_h5 >> 4) as u8,
            self.dig_h6 as u8,
        ];
        (first, second)
    }
}

/// Trimming bytes as they were read, from 0x88 and from 0xE1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trimming {
    pub(super) first: [u8; 26],
    pub(super) second: [u8; 7],
}

impl Trimming {
    pub(super) fn calibration(&self) -> Calibration {
        Calibration::from_registers(&self.first, &self.second)
    }

    /// Where the values lie that this quantity is computed with, if they are a dead read: all bits zero or one in a value
    /// that is large in every part. (Some others are small, and may be either.)
    pub(super) fn dead(&self, quantity: Quantity) -> Option<Register> {
        let c = self.calibration();
        let (large, register): (&[u16], _) = match quantity {
            Quantity::Temperature => (&[c.dig_t1, c.dig_t2 as u16], Register::CALIBRATION),
            Quantity::Pressure => {
                let signed = [c.dig_p2, c.dig_p3, c.dig_p7, c.dig_p8, c.dig_p9].map(|value| value as u16);
                let [p2, p3, p7, p8, p9] = signed;
                (&[c.dig_p1, p2, p3, p7, p8, p9], Register::CALIBRATION_PRESSURE)
            }
            Quantity::Humidity => (&[c.dig_h2 as u16], Register::CALIBRATION_HUMIDITY),
        };
        large.iter().any(|value| matches!(value, 0x0000 | 0xFFFF)).then_some(register)
    }
}

fn signed_12_bit(high: u8, low_nibble: u8) -> i16 {
    i16::from(i8::from_le_bytes([high])) << 4 | i16::from(low_nibble)
}
