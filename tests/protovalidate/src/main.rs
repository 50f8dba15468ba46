//! Runs the cases of protovalidate's conformance suite: a `TestConformanceRequest` on standard input,
//! a `TestConformanceResponse` on standard output. The first argument says how messages are held:
//! `generated` or `dynamic`.

use std::io::{Read, Write};
use std::sync::Arc;

use dunlin_protobuf::descriptor::{DescriptorMessage, FileDescriptorSet};
use dunlin_protobuf::dynamic::{DynamicMessage, DynamicPool};
use dunlin_protobuf::wkt::{self, Any};
use dunlin_protobuf::{DecodeOptions, Message, Reflect, Registry};
use dunlin_validate::{ValidationError, Validator};

mod schemas {
    #![allow(clippy::all, dead_code, deprecated, nonstandard_style, unreachable_pub)]
    include!(concat!(env!("OUT_DIR"), "/mod.rs"));
}

use schemas::buf::validate::conformance::harness::test_result::Result as Outcome;
use schemas::buf::validate::conformance::harness::{
    TestConformanceRequest, TestConformanceResponse, TestResult,
};

/// Where messages come from.
enum Source {
    Generated(Registry),
    Dynamic(Arc<DynamicPool>),
}

fn main() {
    let mode = std::env::args().nth(1).unwrap_or_default();
    let mut input = Vec::new();
    std::io::stdin().read_to_end(&mut input).expect("standard input is readable");
    let request = TestConformanceRequest::decode(&input).expect("the runner sends a request");
    let (source, validator) = match mode.as_str() {
        "generated" => {
            let mut registry = Registry::new();
            register(&mut registry);
            let builder = Validator::builder().file_descriptor_set(schemas::FILE_DESCRIPTOR_SET);
            (Source::Generated(registry), builder.expect("our own descriptors are right").build())
        }
        "dynamic" => {
            let set = request.fdset.as_ref().map(Message::encode_to_vec).unwrap_or_default();
            let set = FileDescriptorSet::decode(&set).expect("the request has descriptors");
            let pool = DynamicPool::from_file_descriptor_set(set).expect("the descriptors are right");
            (Source::Dynamic(pool), Validator::default())
        }
        _ => panic!("the first argument is `generated` or `dynamic`"),
    };
    let results = request.cases.iter().map(|(name, case)| {
        let result = Some(run(&source, &validator, case));
        (name.clone(), TestResult { result, ..Default::default() })
    });
    let response = TestConformanceResponse { results: results.collect(), ..Default::default() };
    std::io::stdout().write_all(&response.encode_to_vec()).expect("standard output is writable");
}

/// The types of all packages of the suite.
fn register(registry: &mut Registry) {
    use schemas::buf::validate::conformance::cases;
    cases::register(registry);
    cases::custom_rules::register(registry);
    cases::other_package::register(registry);
    cases::subdirectory::register(registry);
    cases::yet_another_package::register(registry);
    schemas::buf::validate::register(registry);
    wkt::register(registry);
}

fn run(source: &Source, validator: &Validator, case: &Any) -> Outcome {
    let message: Box<dyn Reflect> = match source {
        Source::Generated(registry) => {
            let Some(mut message) = registry.message(case.type_name()) else {
                return Outcome::UnexpectedError(format!("there is no type {}", case.type_name()));
            };
            // Generated messages of a registry are owned.
            let bytes = Vec::leak(case.value.to_vec());
            if let Err(error) = DecodeOptions::new().registry(registry).merge_into(&mut *message, bytes) {
                return Outcome::UnexpectedError(error.to_string());
            }
            return outcome(validator.validate(message.as_reflect()));
        }
        Source::Dynamic(pool) => {
            let Some(table) = pool.message(case.type_name()) else {
                return Outcome::UnexpectedError(format!("there is no type {}", case.type_name()));
            };
            match DynamicMessage::decode(table, &case.value) {
                Ok(message) => Box::new(message),
                Err(error) => return Outcome::UnexpectedError(error.to_string()),
            }
        }
    };
    outcome(validator.validate(&*message))
}

fn outcome(result: Result<(), ValidationError>) -> Outcome {
    match result {
        Ok(()) => Outcome::Success(true),
        Err(ValidationError::Violations(violations)) => Outcome::ValidationError(violations),
        Err(error @ (ValidationError::Compilation { .. } | ValidationError::UnknownType { .. })) => {
            Outcome::CompilationError(error.to_string())
        }
        Err(
            error @ (ValidationError::Runtime { .. }
            | ValidationError::Cost { .. }
            | ValidationError::Depth { .. }),
        ) => Outcome::RuntimeError(error.to_string()),
        Err(error) => Outcome::UnexpectedError(error.to_string()),
    }
}
