//! For tests of containers: one as an entry would keep it, through all its forms.

use super::Packed;
use super::container::{Big, Form, Kind, Next};
use super::value::ValueRef;

/// See the module.
#[derive(Clone)]
pub enum Held {
    /// Nothing.
    None,
    /// A packed container.
    Packed(Vec<u8>),
    /// A big one.
    Big(Big),
}

impl Held {
    /// Lets `change` change a container of `kind`; what comes out packed must be whole.
    pub fn change(&mut self, kind: Kind, change: impl FnOnce(Form<'_>) -> Next) {
        let next = match self {
            Self::None => change(Form::Absent),
            Self::Packed(bytes) => change(Form::Packed(kind, Packed::new(bytes))),
            Self::Big(big) => change(Form::Big(big)),
        };
        match next {
            Next::Keep => {}
            Next::Remove => *self = Self::None,
            Next::Big(big) => *self = Self::Big(big),
            Next::Packed(bytes) => {
                let packed = Packed::new(&bytes);
                kind.check(packed).unwrap();
                *self = if kind.stays_packed(packed) {
                    Self::Packed(bytes)
                } else {
                    Self::Big(Big::unpack(kind, packed))
                };
            }
        }
    }

    /// What a reader would see of a container of `kind`.
    pub fn value(&self, kind: Kind) -> Option<ValueRef<'_>> {
        match self {
            Self::None => None,
            Self::Packed(bytes) => Some(ValueRef::Packed(kind, Packed::new(bytes))),
            Self::Big(big) => Some(ValueRef::Big(big)),
        }
    }
}
