//! Changed copies of the lines of a corpus.

/// Longest input that is made: about what the head of a request may have.
const LONG: usize = 60 * 1024;

/// Pieces that forms are made of, and numbers that lengths and counts could be taken for.
const PIECES: [&str; 16] = [
    "%",
    "%00",
    ",",
    ";",
    ":",
    "=",
    "\"",
    "\\",
    "v1=",
    ";t=",
    "wait=",
    "q=",
    "-",
    "4294967295",
    "9223372036854775807",
    "99999999999999999999",
];

/// Changes a line at some places, and may repeat it.
pub fn mutated(line: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = line.to_vec();
    for _ in 0..random.usize(1..5) {
        let at = random.usize(0..=input.len());
        match random.u8(0..4) {
            0 => input.insert(at, random.u8(..)),
            1 => drop(input.splice(at..at, random.choice(PIECES).unwrap_or_default().bytes())),
            2 => input.truncate(at),
            _ => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << random.u8(0..8);
                }
            }
        }
    }
    if random.u8(0..8) == 0 {
        input = input.repeat(random.usize(1..LONG) / input.len().max(1));
    }
    input
}
