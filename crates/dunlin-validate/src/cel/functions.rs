//! The functions of expressions: what they are called and what they take and give.

use super::types::Type;

/// Names of functions; what is done with the arguments is seen at their types.
macro_rules! functions {
    ($($variant:ident $name:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Function {
            $($variant,)*
        }

        impl Function {
            pub(super) fn of(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)*
                    _ => None,
                }
            }

            pub(super) fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

functions! {
    Size "size", Contains "contains", StartsWith "startsWith", EndsWith "endsWith", Matches "matches",
    Int "int", Uint "uint", Double "double", String "string", Bytes "bytes", Bool "bool",
    Duration "duration", Timestamp "timestamp", Dyn "dyn", Type "type",
    GetFullYear "getFullYear", GetMonth "getMonth", GetDate "getDate", GetDayOfMonth "getDayOfMonth",
    GetDayOfWeek "getDayOfWeek", GetDayOfYear "getDayOfYear", GetHours "getHours",
    GetMinutes "getMinutes", GetSeconds "getSeconds", GetMilliseconds "getMilliseconds",
    CharAt "charAt", Format "format", IndexOf "indexOf", LastIndexOf "lastIndexOf", Join "join",
    LowerAscii "lowerAscii", UpperAscii "upperAscii", Replace "replace", Split "split",
    Substring "substring", Trim "trim", Reverse "reverse", Quote "strings.quote",
    IsNan "isNan", IsInf "isInf", IsHostname "isHostname", IsEmail "isEmail", IsIp "isIp",
    IsIpPrefix "isIpPrefix", IsUri "isUri", IsUriRef "isUriRef", IsHostAndPort "isHostAndPort",
    Unique "unique", GetField "getField",
}

/// What an argument may be.
#[derive(Clone, Copy, PartialEq)]
enum Arg {
    Any,
    Bool,
    Int,
    Uint,
    Double,
    String,
    Bytes,
    Duration,
    Timestamp,
    List,
    /// A list of strings.
    Strings,
    /// A list of what can be compared at a glance: numbers, booleans, strings, bytes.
    Scalars,
    Map,
}

impl Arg {
    fn takes(self, ty: &Type) -> bool {
        let ty = ty.unwrapped();
        match (self, ty) {
            (Self::Any, _) | (_, Type::Dyn) => true,
            (Self::Bool, Type::Bool) | (Self::Int, Type::Int) | (Self::Uint, Type::Uint) => true,
            (Self::Double, Type::Double) | (Self::String, Type::String) | (Self::Bytes, Type::Bytes) => true,
            (Self::Duration, Type::Duration) | (Self::Timestamp, Type::Timestamp) => true,
            (Self::List, Type::List(_)) | (Self::Map, Type::Map(..)) => true,
            (Self::Strings, Type::List(item)) => Self::String.takes(item),
            (Self::Scalars, Type::List(item)) => {
                [Self::Bool, Self::Int, Self::Uint, Self::Double, Self::String, Self::Bytes]
                    .iter()
                    .any(|scalar| scalar.takes(item))
            }
            _ => false,
        }
    }
}

use Arg::{Any, Bool, Bytes, Double, Duration, Int, List, Map, Scalars, String, Strings, Timestamp, Uint};

#[derive(Clone, Copy, PartialEq)]
enum Style {
    /// `f(x)`
    Global,
    /// `x.f()`
    Member,
}

use Style::{Global, Member};

/// All overloads. The first argument of a member is what it is called on.
const OVERLOADS: &[(Function, Style, &[Arg], Arg)] = &[
    (Function::Size, Global, &[String], Int),
    (Function::Size, Global, &[Bytes], Int),
    (Function::Size, Global, &[List], Int),
    (Function::Size, Global, &[Map], Int),
    (Function::Size, Member, &[String], Int),
    (Function::Size, Member, &[Bytes], Int),
    (Function::Size, Member, &[List], Int),
    (Function::Size, Member, &[Map], Int),
    (Function::Contains, Member, &[String, String], Bool),
    (Function::Contains, Member, &[Bytes, Bytes], Bool),
    (Function::StartsWith, Member, &[String, String], Bool),
    (Function::StartsWith, Member, &[Bytes, Bytes], Bool),
    (Function::EndsWith, Member, &[String, String], Bool),
    (Function::EndsWith, Member, &[Bytes, Bytes], Bool),
    (Function::Matches, Member, &[String, String], Bool),
    (Function::Matches, Global, &[String, String], Bool),
    (Function::Int, Global, &[Int], Int),
    (Function::Int, Global, &[Uint], Int),
    (Function::Int, Global, &[Double], Int),
    (Function::Int, Global, &[String], Int),
    (Function::Int, Global, &[Timestamp], Int),
    (Function::Uint, Global, &[Int], Uint),
    (Function::Uint, Global, &[Uint], Uint),
    (Function::Uint, Global, &[Double], Uint),
    (Function::Uint, Global, &[String], Uint),
    (Function::Double, Global, &[Int], Double),
    (Function::Double, Global, &[Uint], Double),
    (Function::Double, Global, &[Double], Double),
    (Function::Double, Global, &[String], Double),
    (Function::String, Global, &[Bool], String),
    (Function::String, Global, &[Int], String),
    (Function::String, Global, &[Uint], String),
    (Function::String, Global, &[Double], String),
    (Function::String, Global, &[String], String),
    (Function::String, Global, &[Bytes], String),
    (Function::String, Global, &[Duration], String),
    (Function::String, Global, &[Timestamp], String),
    (Function::Bytes, Global, &[Bytes], Bytes),
    (Function::Bytes, Global, &[String], Bytes),
    (Function::Bool, Global, &[Bool], Bool),
    (Function::Bool, Global, &[String], Bool),
    (Function::Duration, Global, &[Duration], Duration),
    (Function::Duration, Global, &[String], Duration),
    (Function::Timestamp, Global, &[Timestamp], Timestamp),
    (Function::Timestamp, Global, &[String], Timestamp),
    (Function::Timestamp, Global, &[Int], Timestamp),
    (Function::Dyn, Global, &[Any], Any),
    (Function::GetFullYear, Member, &[Timestamp], Int),
    (Function::GetFullYear, Member, &[Timestamp, String], Int),
    (Function::GetMonth, Member, &[Timestamp], Int),
    (Function::GetMonth, Member, &[Timestamp, String], Int),
    (Function::GetDate, Member, &[Timestamp], Int),
    (Function::GetDate, Member, &[Timestamp, String], Int),
    (Function::GetDayOfMonth, Member, &[Timestamp], Int),
    (Function::GetDayOfMonth, Member, &[Timestamp, String], Int),
    (Function::GetDayOfWeek, Member, &[Timestamp], Int),
    (Function::GetDayOfWeek, Member, &[Timestamp, String], Int),
    (Function::GetDayOfYear, Member, &[Timestamp], Int),
    (Function::GetDayOfYear, Member, &[Timestamp, String], Int),
    (Function::GetHours, Member, &[Timestamp], Int),
    (Function::GetHours, Member, &[Timestamp, String], Int),
    (Function::GetHours, Member, &[Duration], Int),
    (Function::GetMinutes, Member, &[Timestamp], Int),
    (Function::GetMinutes, Member, &[Timestamp, String], Int),
    (Function::GetMinutes, Member, &[Duration], Int),
    (Function::GetSeconds, Member, &[Timestamp], Int),
    (Function::GetSeconds, Member, &[Timestamp, String], Int),
    (Function::GetSeconds, Member, &[Duration], Int),
    (Function::GetMilliseconds, Member, &[Timestamp], Int),
    (Function::GetMilliseconds, Member, &[Timestamp, String], Int),
    (Function::GetMilliseconds, Member, &[Duration], Int),
    (Function::CharAt, Member, &[String, Int], String),
    (Function::Format, Member, &[String, List], String),
    (Function::IndexOf, Member, &[String, String], Int),
    (Function::IndexOf, Member, &[String, String, Int], Int),
    (Function::LastIndexOf, Member, &[String, String], Int),
    (Function::LastIndexOf, Member, &[String, String, Int], Int),
    (Function::Join, Member, &[Strings], String),
    (Function::Join, Member, &[Strings, String], String),
    (Function::LowerAscii, Member, &[String], String),
    (Function::UpperAscii, Member, &[String], String),
    (Function::Replace, Member, &[String, String, String], String),
    (Function::Replace, Member, &[String, String, String, Int], String),
    (Function::Split, Member, &[String, String], Strings),
    (Function::Split, Member, &[String, String, Int], Strings),
    (Function::Substring, Member, &[String, Int], String),
    (Function::Substring, Member, &[String, Int, Int], String),
    (Function::Trim, Member, &[String], String),
    (Function::Reverse, Member, &[String], String),
    (Function::Quote, Global, &[String], String),
    (Function::IsNan, Member, &[Double], Bool),
    (Function::IsInf, Member, &[Double], Bool),
    (Function::IsInf, Member, &[Double, Int], Bool),
    (Function::IsHostname, Member, &[String], Bool),
    (Function::IsEmail, Member, &[String], Bool),
    (Function::IsIp, Member, &[String], Bool),
    (Function::IsIp, Member, &[String, Int], Bool),
    (Function::IsIpPrefix, Member, &[String], Bool),
    (Function::IsIpPrefix, Member, &[String, Int], Bool),
    (Function::IsIpPrefix, Member, &[String, Bool], Bool),
    (Function::IsIpPrefix, Member, &[String, Int, Bool], Bool),
    (Function::IsUri, Member, &[String], Bool),
    (Function::IsUriRef, Member, &[String], Bool),
    (Function::IsHostAndPort, Member, &[String, Bool], Bool),
    (Function::Unique, Member, &[Scalars], Bool),
    (Function::GetField, Global, &[Any, String], Any),
];

/// What a call gives; `None` if the function does not take such arguments.
pub(super) fn result(function: Function, is_member: bool, args: &[Type]) -> Option<Type> {
    if function == Function::Type && !is_member && args.len() == 1 {
        return Some(Type::Meta);
    }
    let style = if is_member { Member } else { Global };
    let mut fitting = OVERLOADS.iter().filter(|(of, how, takes, _)| {
        *of == function
            && *how == style
            && takes.len() == args.len()
            && takes.iter().zip(args).all(|(arg, ty)| arg.takes(ty))
    });
    let first = fitting.next()?.3;
    let gives = if fitting.all(|other| other.3 == first) { first } else { Any };
    Some(match gives {
        Any | List | Map | Scalars => Type::Dyn,
        Bool => Type::Bool,
        Int => Type::Int,
        Uint => Type::Uint,
        Double => Type::Double,
        String => Type::String,
        Bytes => Type::Bytes,
        Duration => Type::Duration,
        Timestamp => Type::Timestamp,
        Strings => Type::list(Type::String),
    })
}
