use alloc::format;
use alloc::vec;

use super::{Check, Scope};
use crate::descriptor::{Edition, OptimizeMode};
use crate::pool::declare::import_path;

impl Check<'_> {
    pub(super) fn file(&mut self) {
        self.lite_imports();
        // Only the files of the implementation itself may try out what is not released.
        let is_own = self.file.path.starts_with("google/protobuf/");
        if self.edition() == Edition::EDITION_UNSTABLE && self.scope == Scope::Input && !is_own {
            self.error("unknown-edition", vec![12], "edition UNSTABLE is not released")
                .help
                .replace("the newest edition is 2026".into());
        }
        if self.edition() < Edition::EDITION_2024 && !self.proto.option_dependency.is_empty() {
            self.error("option-import-too-early", vec![15, 0], "option imports need edition 2024")
                .help
                .replace("set `edition = \"2024\"`, or use a plain import".into());
        }
        if self.edition() >= Edition::EDITION_2024
            && let Some(&index) = self.proto.weak_dependency.first()
        {
            self.error(
                "weak-import-removed",
                vec![3, index],
                "weak imports are not allowed from edition 2024 on",
            )
            .help
            .replace("use `import option` for custom options, or a plain import".into());
        }
        let Some(options) = self.proto.options.as_deref() else { return };
        if !self.is_legacy() {
            if self.file.features.field_presence == crate::descriptor::FieldPresence::LEGACY_REQUIRED {
                self.error("required-by-default", vec![8, 50, 1], "fields cannot be required by default")
                    .help
                    .replace("set `features.field_presence = LEGACY_REQUIRED` on single fields".into());
            }
            if options.java_string_check_utf8 == Some(true) {
                let message = "option `java_string_check_utf8` does not exist in editions";
                self.error("option-removed", vec![8, 27], message)
                    .help
                    .replace("use `features.(pb.java).utf8_validation`".into());
            }
        }
        if options.optimize_for == Some(OptimizeMode::LITE_RUNTIME)
            && (options.cc_generic_services == Some(true) || options.java_generic_services == Some(true))
        {
            for index in 0..self.proto.service.len() {
                self.error(
                    "lite-service",
                    vec![6, index as i32, 1],
                    "a file with `optimize_for = LITE_RUNTIME` and generic services cannot define services",
                )
                .help
                .replace("set `cc_generic_services` and `java_generic_services` to false".into());
            }
        }
    }

    fn lite_imports(&mut self) {
        if self.file.options.lite {
            return;
        }
        let plain = self.proto.dependency.len();
        for (index, dependency) in self.file.dependencies.iter().enumerate().take(plain) {
            let Some(target) = dependency.file.filter(|id| self.pool.tables(*id).options.lite) else {
                continue;
            };
            let path = &self.pool.tables(target).path;
            let place = import_path(self.proto, index);
            self.error(
                "lite-import",
                place,
                format!("\"{path}\" has `optimize_for = LITE_RUNTIME` and can only be imported by files that have it too"),
            );
            break;
        }
    }
}
