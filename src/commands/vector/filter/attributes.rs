//! The attributes of an element: those that an expression names, out of the JSON that a client gave it.
//!
//! Of a name that is there twice the first counts. An object is no value that expressions know, nor is a list with one
//! in it. Text that is no JSON is read as far as it makes sense.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::value::Value;

/// Puts what `json` says of `names`, which are in order, into `found`.
pub(super) fn read<'a>(json: &'a [u8], names: &[Box<[u8]>], found: &mut [Option<Value<'a>>]) {
    if names.is_empty() {
        return;
    }
    let mut reader = serde_json::Deserializer::from_slice(json);
    // What was found before the text stopped making sense stays.
    let _ended = reader.deserialize_map(Object { names, found });
}

/// The object of all attributes.
struct Object<'n, 'f, 'a> {
    names: &'n [Box<[u8]>],
    found: &'f mut [Option<Value<'a>>],
}

impl<'a> Visitor<'a> for Object<'_, '_, 'a> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(number) = map.next_key_seed(Name(self.names))? {
            let place = number.and_then(|number| self.found.get_mut(number));
            match place.filter(|place| place.is_none()) {
                Some(place) => *place = map.next_value_seed(Known)?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// A name: its number among those that are looked for.
struct Name<'n>(&'n [Box<[u8]>]);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.binary_search_by(|known| (**known).cmp(name.as_bytes())).ok())
    }
}

/// A value, if it is one that expressions know.
#[derive(Clone, Copy)]
struct Known;

impl<'a> DeserializeSeed<'a> for Known {
    type Value = Option<Value<'a>>;

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'a> Visitor<'a> for Known {
    type Value = Option<Value<'a>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a value")
    }

    fn visit_bool<E>(self, is_true: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(f64::from(u8::from(is_true)))))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number as f64)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number as f64)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::Number(number)))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Some(Value::Null))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Owned(text.as_bytes().to_vec()))))
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Self::Value, E> {
        Ok(Some(Value::Text(Cow::Borrowed(text.as_bytes()))))
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut values = Some(Vec::new());
        while let Some(value) = seq.next_element_seed(Known)? {
            values = values.zip(value).map(|(mut values, value)| {
                values.push(value);
                values
            });
        }
        Ok(values.map(Value::List))
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}
