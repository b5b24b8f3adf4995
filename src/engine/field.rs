//! Effects and values as trees of named fields, for those who read the log: `WAL READ`, `lokikv inspect --json`.
//!
//! A tree follows from the type's own serialisation, so that a new effect needs nothing here. Names of variants and
//! fields become lower case with hyphens (`expire_at_ms` is `expire-at-ms`). Two things are shown as what they mean: a
//! value is named by its type as `TYPE` tells it, and a packed container is the list of its items.
//!
//! **Invariant:** a tree holds all that the effect does; nothing is shortened.

use std::fmt;

use serde::ser::{
    SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple, SerializeTupleStruct,
    SerializeTupleVariant,
};
use serde::{Serialize, Serializer};

use super::effect::Effect;
use crate::page::packed::{Item, Packed};
use crate::shared::Shared;

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Field {
    /// Nothing.
    Null,
    /// A truth value.
    Bool(bool),
    /// A number below 0.
    Int(i64),
    /// A number from 0 on.
    Uint(u64),
    /// A floating-point number.
    Double(f64),
    /// A name.
    Text(String),
    /// A byte string.
    Bytes(Shared),
    /// Several values.
    List(Vec<Field>),
    /// Named values, in their order.
    Map(Vec<(String, Field)>),
}

impl From<u64> for Field {
    fn from(number: u64) -> Self {
        Self::Uint(number)
    }
}

impl From<u32> for Field {
    fn from(number: u32) -> Self {
        Self::Uint(number.into())
    }
}

impl From<usize> for Field {
    fn from(number: usize) -> Self {
        Self::Uint(number as u64)
    }
}

impl From<bool> for Field {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Field {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&std::path::Path> for Field {
    fn from(path: &std::path::Path) -> Self {
        Self::Text(path.display().to_string())
    }
}

/// An effect: its kind and its fields.
///
/// # Errors
/// When it cannot be put as a tree.
pub fn of_effect(effect: &Effect<'_>) -> Result<(String, Vec<(String, Field)>), Unfit> {
    match of(effect)? {
        Field::Text(kind) => Ok((kind, Vec::new())),
        Field::Map(mut variant) => match variant.pop() {
            Some((kind, Field::Map(fields))) => Ok((kind, fields)),
            Some((kind, other)) => Ok((kind, vec![("value".to_owned(), other)])),
            None => Err(Unfit("an effect without a kind".to_owned())),
        },
        other => Err(Unfit(format!("an effect that is no variant: {other:?}"))),
    }
}

/// Any value as a tree.
///
/// # Errors
/// When it cannot be one.
pub fn of(value: &impl Serialize) -> Result<Field, Unfit> {
    value.serialize(Tree)
}

/// The name under which values serialise themselves, and that of fields that hold a packed container.
const VALUE: &str = "Value";
const PACKED: &[&str] = &["elements", "fields", "members", "packed", "pairs"];

/// The items of a packed container; bytes that are none stay what they are.
fn unpacked(field: Field) -> Field {
    match field {
        Field::Bytes(bytes) if Packed::new(&bytes).check().is_ok() => {
            let items = Packed::new(&bytes).items().map(|item| match item {
                Item::Double(number) => Field::Double(number),
                Item::Int(_) | Item::Bytes(_) => Field::Bytes(Shared::new(item.bytes().into_owned())),
            });
            Field::List(items.collect())
        }
        other => other,
    }
}

/// `ExpireAt` and `expire_at` alike become `expire-at`.
fn hyphenated(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_uppercase() && !out.is_empty() {
            out.push('-');
        }
        match letter {
            '_' => out.push('-'),
            letter => out.extend(letter.to_lowercase()),
        }
    }
    out
}

/// Why a value cannot be a tree, which is a mistake in its type.
#[derive(Debug)]
pub struct Unfit(String);

impl fmt::Display for Unfit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl serde::ser::Error for Unfit {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Made = Result<Field, Unfit>;

struct Tree;

/// A list that grows; inside a variant it is named by it.
struct ListOf {
    variant: Option<&'static str>,
    items: Vec<Field>,
}

/// A map that grows, likewise.
struct MapOf {
    variant: Option<&'static str>,
    fields: Vec<(String, Field)>,
    key: String,
}

fn named(variant: Option<&'static str>, inner: Field) -> Field {
    match variant {
        Some(variant) => Field::Map(vec![(hyphenated(variant), inner)]),
        None => inner,
    }
}

fn list(variant: Option<&'static str>, len: usize) -> ListOf {
    ListOf {
        variant,
        items: Vec::with_capacity(len.min(1024)),
    }
}

fn map(variant: Option<&'static str>, len: usize) -> MapOf {
    MapOf {
        variant,
        fields: Vec::with_capacity(len.min(1024)),
        key: String::new(),
    }
}

impl ListOf {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        self.items.push(value.serialize(Tree)?);
        Ok(())
    }

    fn end(self) -> Made {
        Ok(named(self.variant, Field::List(self.items)))
    }
}

impl MapOf {
    fn push<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), Unfit> {
        let value = value.serialize(Tree)?;
        let value = if PACKED.contains(&name) { unpacked(value) } else { value };
        self.fields.push((hyphenated(name), value));
        Ok(())
    }

    fn end(self) -> Made {
        Ok(named(self.variant, Field::Map(self.fields)))
    }
}

impl Serializer for Tree {
    type Ok = Field;
    type Error = Unfit;
    type SerializeSeq = ListOf;
    type SerializeTuple = ListOf;
    type SerializeTupleStruct = ListOf;
    type SerializeTupleVariant = ListOf;
    type SerializeMap = MapOf;
    type SerializeStruct = MapOf;
    type SerializeStructVariant = MapOf;

    fn serialize_bool(self, value: bool) -> Made {
        Ok(Field::Bool(value))
    }

    fn serialize_i8(self, value: i8) -> Made {
        self.serialize_i64(value.into())
    }

    fn serialize_i16(self, value: i16) -> Made {
        self.serialize_i64(value.into())
    }

    fn serialize_i32(self, value: i32) -> Made {
        self.serialize_i64(value.into())
    }

    fn serialize_i64(self, value: i64) -> Made {
        Ok(u64::try_from(value).map_or(Field::Int(value), Field::Uint))
    }

    fn serialize_u8(self, value: u8) -> Made {
        self.serialize_u64(value.into())
    }

    fn serialize_u16(self, value: u16) -> Made {
        self.serialize_u64(value.into())
    }

    fn serialize_u32(self, value: u32) -> Made {
        self.serialize_u64(value.into())
    }

    fn serialize_u64(self, value: u64) -> Made {
        Ok(Field::Uint(value))
    }

    /// An identity, not a quantity: 32 hexadecimal digits.
    fn serialize_u128(self, value: u128) -> Made {
        Ok(Field::Text(format!("{value:032x}")))
    }

    fn serialize_f32(self, value: f32) -> Made {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Made {
        Ok(Field::Double(value))
    }

    fn serialize_char(self, value: char) -> Made {
        Ok(Field::Text(value.to_string()))
    }

    fn serialize_str(self, value: &str) -> Made {
        Ok(Field::Text(value.to_owned()))
    }

    fn serialize_bytes(self, value: &[u8]) -> Made {
        Ok(Field::Bytes(Shared::new(value.to_vec())))
    }

    fn serialize_none(self) -> Made {
        Ok(Field::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Made {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Made {
        Ok(Field::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Made {
        Ok(Field::Null)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Made {
        Ok(Field::Text(hyphenated(variant)))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Made {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Made {
        let inner = value.serialize(Self)?;
        Ok(match (name, variant) {
            (VALUE, "Str") => Field::Map(vec![("string".to_owned(), inner)]),
            (VALUE, _) => named(Some(variant), unpacked(inner)),
            _ => named(Some(variant), inner),
        })
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<ListOf, Unfit> {
        Ok(list(None, len.unwrap_or(0)))
    }

    fn serialize_tuple(self, len: usize) -> Result<ListOf, Unfit> {
        Ok(list(None, len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<ListOf, Unfit> {
        Ok(list(None, len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<ListOf, Unfit> {
        Ok(list(Some(variant), len))
    }

    fn serialize_map(self, len: Option<usize>) -> Result<MapOf, Unfit> {
        Ok(map(None, len.unwrap_or(0)))
    }

    fn serialize_struct(self, _: &'static str, len: usize) -> Result<MapOf, Unfit> {
        Ok(map(None, len))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<MapOf, Unfit> {
        Ok(map(Some(variant), len))
    }
}

/// The traits of growing lists differ in the name of one method.
macro_rules! grows {
    ($($of:ident by $trait:ident::$method:ident($($name:ident: $type:ty)?);)*) => {$(
        impl $trait for $of {
            type Ok = Field;
            type Error = Unfit;

            fn $method<T: Serialize + ?Sized>(&mut self, $($name: $type,)? value: &T) -> Result<(), Unfit> {
                self.push($($name,)? value)
            }

            fn end(self) -> Made {
                Self::end(self)
            }
        }
    )*};
}

grows! {
    ListOf by SerializeSeq::serialize_element();
    ListOf by SerializeTuple::serialize_element();
    ListOf by SerializeTupleStruct::serialize_field();
    ListOf by SerializeTupleVariant::serialize_field();
    MapOf by SerializeStruct::serialize_field(name: &'static str);
    MapOf by SerializeStructVariant::serialize_field(name: &'static str);
}

impl SerializeMap for MapOf {
    type Ok = Field;
    type Error = Unfit;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Unfit> {
        self.key = match key.serialize(Tree)? {
            Field::Text(key) => key,
            other => format!("{other:?}"),
        };
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Unfit> {
        let key = std::mem::take(&mut self.key);
        self.fields.push((key, value.serialize(Tree)?));
        Ok(())
    }

    fn end(self) -> Made {
        Self::end(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::effect::Placement;
    use crate::engine::ids::DatabaseId;
    use crate::engine::index::Kind;
    use crate::page::container::Kind as Container;
    use crate::page::hash::HashOp;
    use crate::page::packed::pack;
    use crate::page::{StrRef, ValueRef};

    fn bytes(text: &str) -> Field {
        Field::Bytes(Shared::new(text.as_bytes().to_vec()))
    }

    fn pair(name: &str, field: Field) -> (String, Field) {
        (name.to_owned(), field)
    }

    #[test]
    fn effects_are_trees_of_their_fields() {
        let put = Effect::Put {
            key: b"k",
            expire_at_ms: 7,
            value: ValueRef::Str(StrRef::Inline(b"v")),
        };
        let (kind, fields) = of_effect(&put).unwrap();
        let value = Field::Map(vec![pair("string", bytes("v"))]);
        let expected = vec![
            pair("key", bytes("k")),
            pair("expire-at-ms", Field::Uint(7)),
            pair("value", value),
        ];
        assert_eq!((kind.as_str(), fields), ("put", expected));
        let packed = pack([b"f".as_slice(), b"17"]);
        let hash = Effect::Hash {
            key: b"k",
            op: HashOp::Remove { fields: &packed },
        };
        let items = Field::List(vec![bytes("f"), bytes("17")]);
        let replaced = Field::Map(vec![pair("remove", Field::Map(vec![pair("fields", items.clone())]))]);
        let (kind, fields) = of_effect(&hash).unwrap();
        assert_eq!((kind.as_str(), &fields[1]), ("hash", &pair("op", replaced)));
        let put = Effect::Put {
            key: b"k",
            expire_at_ms: 0,
            value: ValueRef::Packed(Container::Hash, Packed::new(&packed)),
        };
        let value = Field::Map(vec![pair("hash", items)]);
        assert_eq!(of_effect(&put).unwrap().1[2], pair("value", value));
        let dropped = of_effect(&Effect::CollectionDrop).unwrap();
        assert_eq!(dropped, ("collection-drop".to_owned(), Vec::new()));
        let create = Effect::CollectionCreate {
            database: DatabaseId::new(3),
            name: "n",
            placement: Placement {
                kind: Kind::Hmap,
                seed: 9,
                shard_bits: 6,
            },
        };
        let (kind, fields) = of_effect(&create).unwrap();
        let placement = Field::Map(vec![
            pair("kind", Field::Text("hmap".to_owned())),
            pair("seed", Field::Uint(9)),
            pair("shard-bits", Field::Uint(6)),
        ]);
        assert_eq!(kind, "collection-create");
        assert_eq!(fields.last(), Some(&pair("placement", placement)));
    }
}
