//! Flags as all interop programs take them: `--name=value`.

use std::collections::HashMap;
use std::error::Error;
use std::str::FromStr;

/// Why a flag can not be used.
type FlagError = Box<dyn Error + Send + Sync>;

/// The flags that a program was given.
#[derive(Debug)]
pub struct Flags(HashMap<String, String>);

impl Flags {
    /// Those of this process.
    ///
    /// # Errors
    /// Arguments of another form, and names that are not among `known`.
    pub fn from_env(known: &[&str]) -> Result<Self, FlagError> {
        Self::new(std::env::args().skip(1), known)
    }

    fn new(arguments: impl Iterator<Item = String>, known: &[&str]) -> Result<Self, FlagError> {
        let mut flags = HashMap::new();
        for argument in arguments {
            let flag = argument.strip_prefix("--").and_then(|flag| flag.split_once('='));
            let (name, value) = flag.ok_or_else(|| format!("`{argument}` is not --NAME=VALUE"))?;
            if !known.contains(&name) {
                return Err(format!("no flag --{name}; there are --{}", known.join(", --")).into());
            }
            flags.insert(name.to_owned(), value.to_owned());
        }
        Ok(Self(flags))
    }

    /// The value of a flag, if it was given and has any.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a flag that has to be given.
    ///
    /// # Errors
    /// When it was not.
    pub fn required(&self, name: &str) -> Result<&str, FlagError> {
        self.text(name).ok_or_else(|| format!("--{name} is missing").into())
    }

    /// A flag that is a `bool` or a number.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parsed<T: FromStr<Err: Error>>(&self, name: &str, default: T) -> Result<T, FlagError> {
        match self.text(name) {
            Some(value) => value.parse().map_err(|error| format!("--{name}={value}: {error}").into()),
            None => Ok(default),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(arguments: &[&str]) -> Result<Flags, FlagError> {
        Flags::new(arguments.iter().map(|&argument| argument.to_owned()), &["port", "use_tls"])
    }

    #[test]
    fn flags_are_read_and_faults_named() {
        let given = flags(&["--port=10", "--use_tls=true"]).unwrap();
        assert_eq!(given.parsed("port", 1).unwrap(), 10);
        assert!(given.parsed("use_tls", false).unwrap());
        assert_eq!(flags(&[]).unwrap().parsed("port", 1).unwrap(), 1);
        assert!(given.parsed("port", false).unwrap_err().to_string().starts_with("--port=10: "));
        assert_eq!(flags(&["--a=1"]).unwrap_err().to_string(), "no flag --a; there are --port, --use_tls");
        assert_eq!(flags(&["-port", "1"]).unwrap_err().to_string(), "`-port` is not --NAME=VALUE");
        assert_eq!(flags(&[]).unwrap().required("port").unwrap_err().to_string(), "--port is missing");
    }
}
