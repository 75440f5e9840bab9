//! Serde for types whose wire form is a string: parsed by `FromStr`, written by `Display`.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, de};

/// Deserializes a string through `T::from_str` without copying it first.
pub(crate) fn deserialize<'de, T, D>(
    deserializer: D,
    expecting: &'static str,
) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    struct Parsed<T>(&'static str, PhantomData<T>);

    impl<T: FromStr<Err: fmt::Display>> de::Visitor<'_> for Parsed<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Parsed(expecting, PhantomData))
}

/// Implements `Serialize` by `Display` and `Deserialize` by `FromStr`.
macro_rules! string_serde {
    ($type:ty, $expecting:literal) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::text::deserialize(deserializer, $expecting)
            }
        }
    };
}

pub(crate) use string_serde;
