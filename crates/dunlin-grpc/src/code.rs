//! Status codes.

use std::fmt;

/// Names, numbers, texts, Go's names and what they are for.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal, $go:literal;)*) => {
        /// What a call has come to. These seventeen are all there are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Code {
            $($(#[$doc])* $name = $number,)*
        }

        impl Code {
            /// All codes, in the order of their numbers.
            pub const ALL: [Self; 17] = [$(Self::$name),*];

            /// The name in the specification, such as `NOT_FOUND`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// The name as Go spells it, such as `NotFound`: what dashboards and tools made for Go know.
            pub const fn go_name(self) -> &'static str {
                match self {
                    $(Self::$name => $go,)*
                }
            }

            /// The code of this name.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($text => Some(Self::$name),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    /// The call did what it was asked.
    Ok = 0, "OK", "OK";
    /// It was cancelled, usually by the caller.
    Cancelled = 1, "CANCELLED", "Canceled";
    /// Nobody can say what went wrong.
    Unknown = 2, "UNKNOWN", "Unknown";
    /// The request is wrong, whatever the state of the system.
    InvalidArgument = 3, "INVALID_ARGUMENT", "InvalidArgument";
    /// The deadline passed first. The call may have taken effect.
    DeadlineExceeded = 4, "DEADLINE_EXCEEDED", "DeadlineExceeded";
    /// What was asked for does not exist.
    NotFound = 5, "NOT_FOUND", "NotFound";
    /// What was to be created exists.
    AlreadyExists = 6, "ALREADY_EXISTS", "AlreadyExists";
    /// The caller is known, and may not do this.
    PermissionDenied = 7, "PERMISSION_DENIED", "PermissionDenied";
    /// A quota, a limit or a resource is used up.
    ResourceExhausted = 8, "RESOURCE_EXHAUSTED", "ResourceExhausted";
    /// The system is not in the state that the operation needs.
    FailedPrecondition = 9, "FAILED_PRECONDITION", "FailedPrecondition";
    /// A conflict with others; the caller may begin anew at a higher level.
    Aborted = 10, "ABORTED", "Aborted";
    /// Past the valid range, such as reading behind the end.
    OutOfRange = 11, "OUT_OF_RANGE", "OutOfRange";
    /// The method is not there, or not turned on.
    Unimplemented = 12, "UNIMPLEMENTED", "Unimplemented";
    /// Something that must hold does not: a fault in the system.
    Internal = 13, "INTERNAL", "Internal";
    /// The service can not be had now; the caller may try again after a while.
    Unavailable = 14, "UNAVAILABLE", "Unavailable";
    /// Data is lost or damaged for good.
    DataLoss = 15, "DATA_LOSS", "DataLoss";
    /// The caller did not say, or could not prove, who it is.
    Unauthenticated = 16, "UNAUTHENTICATED", "Unauthenticated";
}

impl Code {
    /// The code of this number.
    pub const fn from_number(number: u32) -> Option<Self> {
        if number < 17 { Some(Self::ALL[number as usize]) } else { None }
    }

    /// The number on the wire.
    pub const fn number(self) -> u32 {
        self as u32
    }

    /// What `grpc-status` says: a number without leading zeros. A number that no code has, or no
    /// number, is [`Code::Unknown`].
    pub fn from_wire(value: &[u8]) -> Self {
        let digits = match value {
            [digit @ b'0'..=b'9'] => u32::from(digit - b'0'),
            [b'1', digit @ b'0'..=b'9'] => 10 + u32::from(digit - b'0'),
            _ => return Self::Unknown,
        };
        Self::from_number(digits).unwrap_or(Self::Unknown)
    }

    /// What `grpc-status` says of it.
    pub const fn as_wire(self) -> &'static str {
        const TEXT: [&str; 17] =
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16"];
        TEXT[self as usize]
    }
}

/// As messages carry it; a number that no code has is [`Code::Unknown`].
impl From<i32> for Code {
    fn from(number: i32) -> Self {
        u32::try_from(number).ok().and_then(Self::from_number).unwrap_or(Self::Unknown)
    }
}

impl From<Code> for i32 {
    fn from(code: Code) -> Self {
        code as Self
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_to_the_wire_and_back() {
        for (number, code) in Code::ALL.into_iter().enumerate() {
            assert_eq!(code.number() as usize, number);
            assert_eq!(Code::from_wire(code.as_wire().as_bytes()), code);
            assert_eq!(Code::from_name(code.name()), Some(code));
            // Go leaves out what separates words, and has "canceled" with one l.
            let bare = |name: &str| name.replace('_', "").replace("LL", "L").to_lowercase();
            assert_eq!(bare(code.go_name()), bare(code.name()));
        }
        for wire in ["", "17", "99", "-1", "00", "01", "a", "1 ", "111"] {
            assert_eq!(Code::from_wire(wire.as_bytes()), Code::Unknown, "{wire:?}");
        }
    }
}
