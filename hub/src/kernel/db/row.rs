//! Rows into structs: a serde deserializer over the columns of one row. A struct takes columns by name, a
//! tuple by order, a single value the first column.

use serde::de::value::{MapDeserializer, SeqDeserializer, StringDeserializer};
use serde::de::{self, DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::value::V;

/// Why a row does not fit the type that reads it: always a fault of the program.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RowError(String);

impl de::Error for RowError {
    fn custom<T: std::fmt::Display>(msg: T) -> Self {
        Self(msg.to_string())
    }
}

/// Reads one row.
pub fn read<T: DeserializeOwned>(names: &[String], values: Vec<V>) -> Result<T, RowError> {
    T::deserialize(Row { names, values })
}

struct Row<'a> {
    names: &'a [String],
    values: Vec<V>,
}

impl Row<'_> {
    fn first(self) -> Result<Column, RowError> {
        let first = self.values.into_iter().next();
        first.map(Column).ok_or_else(|| RowError("the row has no column".into()))
    }
}

macro_rules! forward_to_first {
    ($($f:ident)*) => {$(
        fn $f<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
            self.first()?.$f(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for Row<'_> {
    type Error = RowError;

    fn deserialize_any<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        if self.names.len() == 1 {
            self.first()?.deserialize_any(visitor)
        } else {
            self.deserialize_map(visitor)
        }
    }

    fn deserialize_map<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        let columns = self.names.iter().map(String::as_str).zip(self.values.into_iter().map(Column));
        visitor.visit_map(MapDeserializer::new(columns))
    }

    fn deserialize_struct<X: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: X,
    ) -> Result<X::Value, RowError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        visitor.visit_seq(SeqDeserializer::new(self.values.into_iter().map(Column)))
    }

    fn deserialize_tuple<X: Visitor<'de>>(self, _len: usize, visitor: X) -> Result<X::Value, RowError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<X: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: X,
    ) -> Result<X::Value, RowError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<X: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: X,
    ) -> Result<X::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<X: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: X,
    ) -> Result<X::Value, RowError> {
        self.first()?.deserialize_enum(name, variants, visitor)
    }

    forward_to_first! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char
        deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf deserialize_option
        deserialize_unit deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<X: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: X,
    ) -> Result<X::Value, RowError> {
        visitor.visit_unit()
    }
}

struct Column(V);

impl IntoDeserializer<'_, RowError> for Column {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Column {
    type Error = RowError;

    fn deserialize_any<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        match self.0 {
            V::Null => visitor.visit_none(),
            V::Int(i) => visitor.visit_i64(i),
            V::Real(r) => visitor.visit_f64(r),
            V::Text(t) => visitor.visit_string(t),
            V::Blob(b) => visitor.visit_byte_buf(b),
        }
    }

    fn deserialize_bool<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        match self.0 {
            V::Int(0) => visitor.visit_bool(false),
            V::Int(1) => visitor.visit_bool(true),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_option<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        match self.0 {
            V::Null => visitor.visit_none(),
            other => visitor.visit_some(Self(other)),
        }
    }

    fn deserialize_seq<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        match self.0 {
            V::Blob(b) => visitor.visit_seq(SeqDeserializer::new(b.into_iter())),
            other => Self(other).deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<X: Visitor<'de>>(self, _len: usize, visitor: X) -> Result<X::Value, RowError> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<X: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: X,
    ) -> Result<X::Value, RowError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<X: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: X,
    ) -> Result<X::Value, RowError> {
        match self.0 {
            V::Text(t) => {
                let word: StringDeserializer<RowError> = t.into_deserializer();
                visitor.visit_enum(word)
            }
            other => Err(RowError(format!("a word was expected, not {other:?}"))),
        }
    }

    fn deserialize_unit<X: Visitor<'de>>(self, visitor: X) -> Result<X::Value, RowError> {
        match self.0 {
            V::Null => visitor.visit_unit(),
            other => Self(other).deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit_struct
        tuple_struct map struct identifier ignored_any
    }
}
