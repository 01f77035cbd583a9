//! Which partition a device's messages go to: the one that Azure chooses, as Microsoft's suite in C reckons it beforehand. Event
//! Hubs hash a key with Bob Jenkins's lookup3 and divide 32,767 logical partitions among those that there are.

/// How many logical partitions there are.
const LOGICAL: usize = 32_767;

/// The partition of a device, of `partitions`.
pub(super) fn partition_of(device_id: &str, partitions: usize) -> u8 {
    let (first, second) = lookup3(device_id.to_ascii_uppercase().as_bytes());
    // Of the 32 bits the lower 16 count, with their sign.
    let [low, high, ..] = (first ^ second).to_le_bytes();
    let logical = usize::from(i16::from_le_bytes([low, high]).unsigned_abs()) % LOGICAL;
    let partitions = partitions.clamp(1, LOGICAL);
    // The first ranges are longer by one, as many as are left over.
    let (width, longer) = (LOGICAL / partitions, LOGICAL % partitions);
    let in_longer = longer * (width + 1);
    let partition =
        if logical < in_longer { logical / (width + 1) } else { longer + (logical - in_longer) / width };
    u8::try_from(partition).unwrap_or_default()
}

/// Both halves of `hashlittle2`, with seeds of zero.
fn lookup3(key: &[u8]) -> (u32, u32) {
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    let start = 0xdead_beef_u32.wrapping_add(length);
    let mut words = [start; 3];
    let mut rest = key;
    while let Some((block, behind)) = rest.split_at_checked(12).filter(|(_, behind)| !behind.is_empty()) {
        words = mix(added(words, block));
        rest = behind;
    }
    if !rest.is_empty() {
        words = finish(added(words, rest));
    }
    let [_, second, first] = words;
    (first, second)
}

/// Up to twelve bytes of the key, as three words, added to what there is; what is missing counts as zero.
fn added(words: [u32; 3], block: &[u8]) -> [u32; 3] {
    let mut padded = [0; 12];
    padded.iter_mut().zip(block).for_each(|(place, byte)| *place = *byte);
    let mut chunks = padded
        .chunks_exact(4)
        .map(|chunk| chunk.iter().rev().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)));
    words.map(|word| word.wrapping_add(chunks.next().unwrap_or_default()))
}

fn mix([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    for (first, second, third) in [(4, 6, 8), (16, 19, 4)] {
        a = a.wrapping_sub(c) ^ c.rotate_left(first);
        c = c.wrapping_add(b);
        b = b.wrapping_sub(a) ^ a.rotate_left(second);
        a = a.wrapping_add(c);
        c = c.wrapping_sub(b) ^ b.rotate_left(third);
        b = b.wrapping_add(a);
    }
    [a, b, c]
}

fn finish([mut a, mut b, mut c]: [u32; 3]) -> [u32; 3] {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    c = (c ^ b).wrapping_sub(b.rotate_left(24));
    [a, b, c]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_its_inventor() {
        assert_eq!(lookup3(b""), (0xdead_beef, 0xdead_beef));
        assert_eq!(lookup3(b"Four score and seven years ago"), (0x1777_0551, 0xce72_26e6));
    }

    #[test]
    fn devices_spread_over_all_partitions_whatever_their_case() {
        for partitions in [1, 2, 4, 5, 32] {
            let mut counts = vec![0; partitions];
            for number in 0..2_000 {
                let device_id = format!("Sensor-{number}");
                let partition = partition_of(&device_id, partitions);
                assert_eq!(partition, partition_of(&device_id.to_lowercase(), partitions));
                counts[usize::from(partition)] += 1;
            }
            assert!(counts.iter().all(|count| *count > 1_000 / partitions), "{counts:?}");
        }
    }
}
