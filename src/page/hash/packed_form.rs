//! A packed hash: whether bytes are one, and its fields under change, borrowed, and what takes their stead.

use crate::page::malformed::Malformed;
use crate::page::packed::{Builder, FLAG_TIMED, FLAG_WIDE, Item, Packed, is_time, time_of};
use crate::page::thresholds::Thresholds;

/// A field with its value, and when it dies (0: never).
type Row<'a> = (Item<'a>, Item<'a>, u64);

/// See the module.
#[derive(Default)]
pub(super) struct Fields<'a> {
    rows: Vec<Row<'a>>,
    is_wide: bool,
}

impl<'a> Fields<'a> {
    pub fn of(packed: Packed<'a>) -> Self {
        Self {
            rows: rows(packed).collect(),
            is_wide: packed.is_wide(),
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    fn find(&mut self, field: Item<'_>) -> Option<&mut Row<'a>> {
        self.rows.iter_mut().find(|row| row.0.is(field))
    }

    pub fn set(&mut self, field: Item<'a>, value: Item<'a>, keeps_expiry: bool, thresholds: &Thresholds) {
        match self.find(field) {
            Some(row) => {
                row.1 = value;
                row.2 *= u64::from(keeps_expiry);
            }
            None => self.rows.push((field, value, 0)),
        }
        let fits = thresholds.hash_item_fits(field.bytes_len())
            && thresholds.hash_item_fits(value.bytes_len())
            && thresholds.hash_fits(self.rows.len() as u64);
        self.is_wide |= !fits;
    }

    pub fn remove(&mut self, field: Item<'_>) {
        self.rows.retain(|row| !row.0.is(field));
    }

    pub fn expire_at(&mut self, field: Item<'_>, at_ms: u64) {
        if let Some(row) = self.find(field) {
            row.2 = at_ms;
        }
    }

    pub fn pack(self) -> Vec<u8> {
        let is_timed = self.rows.iter().any(|row| row.2 != 0);
        let mut builder = Builder::new((u8::from(self.is_wide) * FLAG_WIDE) | (u8::from(is_timed) * FLAG_TIMED));
        for (field, value, at_ms) in self.rows {
            builder.push(field);
            builder.push(value);
            if is_timed {
                builder.push(Item::Int(at_ms as i64));
            }
        }
        builder.finish()
    }
}

/// The fields of a packed hash.
pub(super) fn rows(packed: Packed<'_>) -> impl Iterator<Item = Row<'_>> {
    let (mut items, is_timed) = (packed.items(), packed.is_timed());
    std::iter::from_fn(move || {
        let (field, value) = (items.next()?, items.next()?);
        let at_ms = if is_timed { time_of(items.next()) } else { 0 };
        Some((field, value, at_ms))
    })
}

/// Whether `packed` is a whole hash.
///
/// # Errors
/// What is wrong.
pub fn check(packed: Packed<'_>) -> Result<(), Malformed> {
    check_items(packed)?;
    let mut fields: Vec<_> = packed.items().step_by(width_of(packed)).map(Item::bytes).collect();
    fields.sort_unstable();
    if fields.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(Malformed::Container("a hash has a field twice"));
    }
    Ok(())
}

/// The same, but that a field may be there twice.
///
/// # Errors
/// What is wrong.
pub fn check_items(packed: Packed<'_>) -> Result<(), Malformed> {
    let (count, width) = (packed.count(), width_of(packed));
    let (mut place, mut are_right) = (0, true);
    packed.check_with(|item| {
        are_right &= match place {
            2 => is_time(item),
            _ => !matches!(item, Item::Double(_)),
        };
        place = if place + 1 < width { place + 1 } else { 0 };
    })?;
    if count == 0 || !count.is_multiple_of(width) {
        return Err(Malformed::HashItems(count));
    }
    if !are_right {
        return Err(Malformed::Container("a hash has a field that is none"));
    }
    Ok(())
}

/// Items of a field.
fn width_of(packed: Packed<'_>) -> usize {
    2 + usize::from(packed.is_timed())
}

/// How many fields a packed hash has.
pub fn len(packed: Packed<'_>) -> u64 {
    (packed.count() / width_of(packed)) as u64
}
