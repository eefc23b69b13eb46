//! How deep a CBOR item is nested, found before anybody decodes it: decoders follow nesting with their stack, and
//! no message of ours is deeper than a handful of levels. `frame` calls it. What is not well formed is left to
//! the decoder, which says why.

/// Arrays, maps and tags within each other, at most.
pub const MAX_DEPTH: usize = 32;

/// Whether the first item of `bytes` (RFC 8949, clause 3) nests deeper than [`MAX_DEPTH`].
pub fn is_too_deep(bytes: &[u8]) -> bool {
    too_deep(bytes).unwrap_or(false)
}

/// `None` where the item breaks off or is none.
fn too_deep(mut rest: &[u8]) -> Option<bool> {
    // Items that each open container still wants; none where it is open until a break.
    let mut open: Vec<Option<u64>> = Vec::with_capacity(MAX_DEPTH);
    loop {
        let (head, behind) = rest.split_first()?;
        rest = behind;
        let argument = match head & 0x1f {
            small @ 0..=23 => Some(u64::from(small)),
            size @ 24..=27 => {
                let (number, behind) = rest.split_at_checked(1 << (size - 24))?;
                rest = behind;
                Some(number.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
            }
            31 => None,
            _ => return None,
        };
        let inside = match (head >> 5, argument) {
            (0 | 1 | 7, Some(_)) => Some(0),
            (2 | 3, Some(length)) => {
                rest = rest.get(usize::try_from(length).ok()?..)?;
                Some(0)
            }
            (4, Some(items)) => Some(items),
            (5, Some(pairs)) => Some(pairs.checked_mul(2)?),
            (6, Some(_)) => Some(1),
            (2..=5, None) => None,
            (7, None) => {
                open.pop_if(|wanted| wanted.is_none())?;
                Some(0)
            }
            _ => return None,
        };
        if inside != Some(0) {
            if open.len() == MAX_DEPTH {
                return Some(true);
            }
            open.push(inside);
            continue;
        }
        // The item is whole, and with its last item each container is.
        while let Some(Some(wanted)) = open.last_mut() {
            *wanted -= 1;
            if *wanted > 0 {
                break;
            }
            open.pop();
        }
        if open.is_empty() {
            return Some(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fault_h7_nesting_is_counted_in_arrays_maps_tags_and_both_kinds_of_length() {
        for (open, close) in [
            (&[0x81][..], &[][..]),
            (&[0xa1, 0x00], &[]),
            (&[0xc1], &[]),
            (&[0x9f], &[0xff]),
            (&[0xbf, 0x00], &[0xff]),
            (&[0x98, 0x01], &[]),
            (&[0x82, 0x60], &[]),
        ] {
            let nested = |depth: usize| [open.repeat(depth), vec![0x00], close.repeat(depth)].concat();
            assert!(!is_too_deep(&nested(MAX_DEPTH)), "{open:x?}");
            assert!(is_too_deep(&nested(MAX_DEPTH + 1)), "{open:x?}");
            assert!(is_too_deep(&open.repeat(MAX_DEPTH + 1)), "{open:x?} without an end");
        }
    }

    #[test]
    fn what_stands_beside_each_other_is_not_nested() {
        let flat = [vec![0x98, 200], [0x81, 0x00].repeat(200)].concat();
        assert!(!is_too_deep(&flat));
        let chunks = [&[0x5f][..], &[0x41, 0x81].repeat(100), &[0xff]].concat();
        assert!(!is_too_deep(&chunks), "a byte string in pieces");
        assert!(!is_too_deep(&[0x58, 40].iter().chain(&[0x81; 40]).copied().collect::<Vec<_>>()));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_verdict(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = is_too_deep(&bytes);
        }
    }
}
