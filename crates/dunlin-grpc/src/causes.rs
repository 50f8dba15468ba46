//! Errors in one line.

use std::error::Error;

/// An error with what caused it, in one line, as a log or a terminal should have it. Causes whose text the line
/// has already are left out.
///
/// ```
/// use std::io;
///
/// let error = io::Error::other(dunlin_grpc::Status::unavailable("no server"));
/// assert_eq!(dunlin_grpc::causes(&error), "UNAVAILABLE: no server");
/// ```
pub fn causes(error: &dyn Error) -> String {
    with_causes(error.to_string(), error.source())
}

/// A text with the causes of what it says, in one line, as [`causes`] has it.
pub fn with_causes(mut text: String, mut cause: Option<&(dyn Error + 'static)>) -> String {
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Because(&'static str, Option<Box<Because>>);

    impl fmt::Display for Because {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Because {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.1.as_ref().map(|cause| cause.as_ref() as _)
        }
    }

    #[test]
    fn what_is_said_is_not_said_again() {
        let last = Because("no route", None);
        let middle = Because("cannot connect: no route", Some(Box::new(last)));
        let first = Because("no answer", Some(Box::new(middle)));
        assert_eq!(causes(&first), "no answer: cannot connect: no route");
        assert_eq!(with_causes("broken".to_owned(), None), "broken");
    }
}
