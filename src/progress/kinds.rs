//! Kinds of a thing, each with its stable word.

/// Declares an enum of which every kind has a stable word and is in `ALL`: what goes over them misses none.
macro_rules! kinds {
    ($(#[$of_all:meta])* pub enum $name:ident { $($(#[$of_kind:meta])* $kind:ident = $word:literal,)+ }) => {
        $(#[$of_all])*
        pub enum $name {
            $($(#[$of_kind])* $kind,)+
        }

        impl $name {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// Returns the stable word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)+
                }
            }
        }
    };
}

pub(crate) use kinds;
