//! The rules that stand in schemas.

use dunlin_grpc::intercept::MessageRef;
use dunlin_grpc::{ErrorDetails, Status};
use dunlin_validate::{ValidationError, Validator};

/// Whether a message is as its schema says.
pub(super) fn check(validator: &Validator, message: MessageRef<'_>) -> Result<(), Status> {
    let error = match validator.validate(message.as_reflect()) {
        Ok(()) => return Ok(()),
        Err(error) => error,
    };
    let status = match &error {
        ValidationError::Violations(violations) => {
            let fields = violations.violations.iter().map(|violation| {
                let path = violation.field.as_ref().map(ToString::to_string).unwrap_or_default();
                let why = match violation.message() {
                    "" => violation.rule_id(),
                    message => message,
                };
                (path, why.to_owned())
            });
            let details = ErrorDetails::new().bad_request(fields).with(violations);
            Status::invalid_argument(error.to_string()).with_details(details)
        }
        // A message that is too large or too deep for its rules is as much at fault as one that breaks them.
        ValidationError::Cost { .. } | ValidationError::Depth { .. } => {
            Status::invalid_argument(error.to_string())
        }
        _ => Status::internal(format!("a message can not be validated: {error}")),
    };
    Err(status.with_source(error))
}
