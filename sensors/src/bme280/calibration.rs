//! Trimming values burnt into each part (datasheet section 4.2.2, table 16).

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

/// Whether a block of trimming bytes is a dead read: no part has all of them equal.
pub(super) fn is_dead(block: &[u8]) -> bool {
    block.iter().all(|&byte| byte == 0x00) || block.iter().all(|&byte| byte == 0xFF)
}

fn signed_12_bit(high: u8, low_nibble: u8) -> i16 {
    i16::from(i8::from_le_bytes([high])) << 4 | i16::from(low_nibble)
}
