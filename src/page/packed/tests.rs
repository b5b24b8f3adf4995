//! Items and containers read back; what is no container is told.

use super::*;

#[test]
fn items_read_back_as_short_as_they_can_be() {
    let long = vec![b'x'; 70_000];
    for (bytes, written) in [
        (&b""[..], 1),
        (b"a", 2),
        (b"0", 1),
        (b"127", 1),
        (b"128", 3),
        (b"-1", 2),
        (b"-0", 3),
        (b"007", 4),
        (b"-128", 2),
        (b"32767", 3),
        (b"8388607", 4),
        (b"2147483647", 5),
        (b"2147483648", 9),
        (b"-9223372036854775808", 9),
        (b"9223372036854775808", 20),
        (&[b'x'; 63], 64),
        (&[b'x'; 64], 66),
        (&long, 70_004),
    ] {
        let mut out = Vec::new();
        Item::of(bytes).write(&mut out);
        assert_eq!(
            (out.len(), Item::of(bytes).written_bytes()),
            (written, written),
            "{bytes:?}"
        );
        let mut items = Items::new(&out);
        assert_eq!(&*items.next().unwrap().bytes(), bytes);
        assert!(items.next().is_none());
    }
}

#[test]
fn integers_end_where_they_end() {
    for power in 0..64 {
        for value in [
            1_i64 << power,
            -(1_i64 << power.min(62)),
            (1_i64 << power).wrapping_sub(1),
        ] {
            let mut out = Vec::new();
            Item::Int(value).write(&mut out);
            for behind in 0..10 {
                let mut all = out.clone();
                all.extend(std::iter::repeat_n(0xc7, behind));
                let mut items = Items::new(&all);
                assert!(
                    items.next().unwrap().is(Item::Int(value)),
                    "{value}, {behind} bytes behind it"
                );
                assert_eq!(items.rest().len(), behind);
            }
            let cut = out.get(..out.len() - 1).unwrap();
            assert!(Items::new(cut).next().is_none(), "{value}");
        }
    }
}

#[test]
fn numbers_keep_their_bits() {
    for number in [
        0.0,
        -0.0,
        1.5,
        -3.0,
        1e300,
        f64::INFINITY,
        9_007_199_254_740_993.0,
        1e15,
    ] {
        let mut out = Vec::new();
        Item::of_f64(number).write(&mut out);
        let read = Items::new(&out).next().and_then(Item::number).unwrap();
        assert_eq!(read.to_bits(), number.to_bits(), "{number}");
    }
}

#[test]
fn containers_are_checked() {
    let packed = pack([&b"field"[..], b"12", b"", b"-500"]);
    let whole = Packed::new(&packed);
    assert_eq!((whole.count(), whole.items().count()), (4, 4));
    assert_eq!(whole.check(), Ok(()));
    for cut in 0..packed.len() {
        assert!(Packed::new(&packed[..cut]).check().is_err(), "{cut}");
    }
    for at in 0..packed.len() {
        let mut flipped = packed.clone();
        flipped[at] ^= 0xff;
        // Never a panic, whatever it says.
        let _ = Packed::new(&flipped).check();
    }
    assert!(Packed::new(&[packed.as_slice(), b"x"].concat()).check().is_err());
}

#[test]
fn varints_read_back() {
    for value in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), u64::MAX] {
        let mut out = Vec::new();
        write_varint(&mut out, value);
        assert_eq!(out.len(), varint_bytes(value));
        let mut rest = out.as_slice();
        assert_eq!(read_varint(&mut rest), Some(value));
        assert!(rest.is_empty());
    }
    assert_eq!(read_varint(&mut [0x80; 11].as_slice()), None);
}
