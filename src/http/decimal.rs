//! Numbers in decimal, without the machinery of formatting.

/// Most digits of a number.
const DIGITS_MAX: usize = 20;

/// Hands the digits of a number to `take`, a minus first where it is negative.
pub(super) fn write(number: i64, take: impl FnMut(&[u8])) {
    let mut take = take;
    if number < 0 {
        take(b"-");
    }
    write_unsigned(number.unsigned_abs(), take);
}

/// Hands the digits of a number to `take`.
pub(super) fn write_unsigned(mut number: u64, mut take: impl FnMut(&[u8])) {
    let mut digits = [0; DIGITS_MAX];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    take(digits.split_at(digits.len() - length).1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_everywhere_else() {
        for number in [0, 1, 9, 10, 99_017, -1, i64::MAX, i64::MIN] {
            let mut text = Vec::new();
            write(number, |digits| text.extend_from_slice(digits));
            assert_eq!(String::from_utf8(text).unwrap(), number.to_string());
        }
    }
}
