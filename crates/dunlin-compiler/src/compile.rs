//! The driver: loading, parsing and linking, in parallel where files do not depend on each other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Condvar, Mutex};

use dunlin_protobuf::UnknownFields;
use dunlin_protobuf::descriptor::DescriptorMessage;
use dunlin_protobuf::descriptor::FileDescriptorProto;
use dunlin_protobuf::pool::{
    DerivedOptions, DescriptorPool, Fault, FileId, FileTables, Links, Scope, Severity,
};

use crate::compilation::{Compilation, CompiledFile, FullOptions, Parts};
use crate::diagnostic::{Diagnostic, Diagnostics, Location, Source, SourceId};
use crate::element::{finish_names, options_slot};
use crate::loader::{LoadError, Loaded, Loader};
use crate::lower::location::{Recorder, SourceInfo};
use crate::lower::{PendingOptions, lower};
use crate::options::retention::{Stripped, source_only};
use crate::options::{Interpreted, OptionContext, interpret};
use crate::parallel;
use crate::syntax::{Span, SyntaxFault, Tree};

/// Bounds on what a run takes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The largest source, in bytes. Default: 64 MiB.
    pub max_source_bytes: usize,
    /// The most files of one run, imports included. Default: 100,000.
    pub max_files: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_source_bytes: 64 << 20, max_files: 100_000 }
    }
}

/// Compiles schema files: see [`Compiler::compile`].
///
/// ```
/// use dunlin_compiler::{Compiler, loader::Sources};
///
/// let sources = Sources::new().file(
///     "shop.proto",
///     r#"edition = "2023"; package shop; message Order { string id = 1; }"#,
/// );
/// let compilation = Compiler::new(sources).compile(["shop.proto"])?;
/// let order = compilation.pool().message("shop.Order").expect("it is in the file");
/// assert_eq!(order.fields().count(), 1);
/// # Ok::<(), dunlin_compiler::Diagnostics>(())
/// ```
#[derive(Debug)]
pub struct Compiler<L> {
    loader: L,
    limits: Limits,
    threads: usize,
    source_info: bool,
}

impl<L: Loader> Compiler<L> {
    /// A compiler that gets its files from `loader`, and the well-known ones, if `loader` does not
    /// have them, from inside.
    pub fn new(loader: L) -> Self {
        Self { loader, limits: Limits::default(), threads: parallel::default_threads(), source_info: false }
    }

    /// Sets the bounds on what a run takes in.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets how many threads work; by default one for each core.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Sets whether positions and comments are kept for descriptors; by default they are not.
    #[must_use]
    pub fn source_info(mut self, keep: bool) -> Self {
        self.source_info = keep;
        self
    }

    /// Compiles the files that are imported as `inputs`, and everything that they import.
    ///
    /// # Errors
    /// All faults of all files, and warnings among them, if there is any error.
    pub fn compile<I>(&self, inputs: I) -> Result<Compilation, Diagnostics>
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let inputs: Vec<String> = inputs.into_iter().map(Into::into).collect();
        let mut run = Run::load(self, &inputs);
        run.link();
        run.interpret_options();
        run.check();
        run.finish()
    }

    fn read(&self, path: &str) -> Result<Loaded, LoadError> {
        match self.loader.load(path) {
            Err(LoadError::NotFound { searched }) => match crate::wellknown::source(path) {
                Some(text) => Ok(Loaded::Text { display_path: path.to_owned(), text: text.into() }),
                None => Err(LoadError::NotFound { searched }),
            },
            Ok(Loaded::Text { text, .. }) if text.len() > self.limits.max_source_bytes => {
                let (len, max) = (text.len(), self.limits.max_source_bytes);
                let reason = format!("file has {len} bytes; the limit is {max} (`max_source_bytes`)");
                Err(LoadError::Unreadable { reason })
            }
            other => other,
        }
    }
}

/// A file while it is compiled.
#[derive(Debug)]
struct Unit {
    source: Source,
    proto: FileDescriptorProto,
    tables: Option<FileTables>,
    pending: Vec<PendingOptions>,
    source_info: Option<Box<SourceInfo>>,
    syntax_faults: Vec<SyntaxFault>,
    faults: Vec<Fault>,
    /// The source could not be understood as a whole, so declarations may be missing.
    is_broken: bool,
    /// The same for something that it imports.
    lacks_imports: bool,
    is_input: bool,
    is_descriptor: bool,
    links: Option<Links>,
    interpreted: Interpreted,
    derived: Option<DerivedOptions>,
    used: BTreeSet<FileId>,
    unused_imports: Vec<usize>,
    says_syntax: bool,
    /// Options in full, of elements that lost some of them for what runs.
    full_options: Vec<FullOptions>,
}

struct Run {
    threads: usize,
    /// In the order of file ids: imports before the files that import them.
    units: Vec<Unit>,
    inputs: Vec<FileId>,
    pool: DescriptorPool,
    /// The file ids in waves: each imports only from waves before it.
    waves: Vec<Vec<usize>>,
    load_errors: HashMap<String, LoadError>,
    /// About inputs that could not be loaded.
    loose: Vec<Diagnostic>,
}

// ---- loading and parsing

struct Queue {
    waiting: Vec<String>,
    known: HashSet<String>,
    loaded: HashMap<String, Result<Unit, LoadError>>,
    busy: usize,
}

impl Run {
    fn load<L: Loader>(compiler: &Compiler<L>, inputs: &[String]) -> Self {
        let mut known = HashSet::new();
        let mut waiting: Vec<String> =
            inputs.iter().filter(|path| known.insert((*path).clone())).cloned().collect();
        waiting.reverse();
        let queue = Mutex::new(Queue { waiting, known, loaded: HashMap::new(), busy: 0 });
        let changed = Condvar::new();
        let input_set: HashSet<&str> = inputs.iter().map(String::as_str).collect();
        // One item for each thread: the threads feed each other through the queue.
        let small = inputs.len() < 4;
        let threads = if small { 1 } else { compiler.threads };
        let work = |_: usize| {
            let Ok(mut state) = queue.lock() else { return };
            loop {
                let Some(path) = state.waiting.pop() else {
                    if state.busy == 0 {
                        changed.notify_all();
                        return;
                    }
                    match changed.wait(state) {
                        Ok(woken) => state = woken,
                        Err(_) => return,
                    }
                    continue;
                };
                state.busy += 1;
                drop(state);
                let is_input = input_set.contains(path.as_str());
                let unit =
                    compiler.read(&path).map(|loaded| parse(&path, loaded, is_input, compiler.source_info));
                match queue.lock() {
                    Ok(relocked) => state = relocked,
                    Err(_) => return,
                }
                state.busy -= 1;
                if let Ok(unit) = &unit {
                    for import in unit.proto.dependency.iter().chain(&unit.proto.option_dependency) {
                        if state.known.len() < compiler.limits.max_files && state.known.insert(import.clone())
                        {
                            state.waiting.push(import.clone());
                        }
                    }
                }
                state.loaded.insert(path, unit);
                changed.notify_all();
            }
        };
        // More items than a serial loop would take, so that threads start.
        if threads > 1 {
            parallel::for_each(threads, 0..threads.max(8), work);
        } else {
            work(0);
        }
        let state = queue.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        Self::arrange(compiler.threads, inputs, state.loaded, compiler.limits)
    }

    /// Puts the loaded files in the order of their imports.
    fn arrange(
        threads: usize,
        inputs: &[String],
        mut loaded: HashMap<String, Result<Unit, LoadError>>,
        limits: Limits,
    ) -> Self {
        let mut run = Self {
            threads,
            units: Vec::with_capacity(loaded.len()),
            inputs: Vec::new(),
            pool: DescriptorPool::default(),
            waves: Vec::new(),
            load_errors: HashMap::new(),
            loose: Vec::new(),
        };
        if loaded.len() >= limits.max_files {
            let text = format!("the inputs import more than {} files (`max_files`)", limits.max_files);
            run.loose.push(Diagnostic::error("too-many-files", text));
        }
        let mut seen: HashSet<String> = HashSet::new();
        for input in inputs {
            // Depth first, with the open files on a stack: import chains may be long.
            let mut stack: Vec<(String, usize)> = vec![(input.clone(), 0)];
            while let Some((path, next)) = stack.last_mut() {
                if *next == 0 && !seen.insert(path.clone()) {
                    stack.pop();
                    continue;
                }
                let imports = match loaded.get(path.as_str()) {
                    Some(Ok(unit)) => {
                        unit.proto.dependency.iter().chain(&unit.proto.option_dependency).nth(*next).cloned()
                    }
                    _ => None,
                };
                *next += 1;
                if let Some(import) = imports {
                    if !seen.contains(&import) {
                        stack.push((import, 0));
                    }
                    continue;
                }
                let (path, _) = stack.pop().unwrap_or_default();
                match loaded.remove(&path) {
                    Some(Ok(unit)) => run.units.push(unit),
                    Some(Err(error)) => {
                        run.load_errors.insert(path, error);
                    }
                    None => {}
                }
            }
        }
        for (index, unit) in run.units.iter_mut().enumerate() {
            if let Some(tables) = unit.tables.take() {
                let added = run.pool.add_file(&unit.source.import_path, tables);
                debug_assert_eq!(added, Ok(FileId(index as u32)), "paths are unique");
            }
        }
        for input in inputs {
            match run.pool.file_by_path(input) {
                Some(id) if !run.inputs.contains(&id) || inputs.len() < 64 => run.inputs.push(id),
                Some(id) => run.inputs.push(id),
                None => {
                    let error = run.load_errors.get(input);
                    run.loose.push(load_diagnostic(input, error));
                }
            }
        }
        run
    }

    // ---- linking

    fn link(&mut self) {
        let mut faults = Vec::new();
        for index in 0..self.units.len() {
            self.pool.connect(FileId(index as u32), &self.units[index].proto, &mut faults);
        }
        self.pool.import_order(&mut faults);
        self.pool.see();
        self.pool.declare(&mut faults);
        for fault in faults {
            self.units[fault.file.index()].faults.push(fault);
        }
        self.find_gaps();
        self.plan_waves();
        let pool = &self.pool;
        parallel::for_each(self.threads, self.units.iter_mut().enumerate(), |(index, unit)| {
            unit.links = Some(pool.resolve(FileId(index as u32), &unit.proto));
        });
        for index in 0..self.units.len() {
            let Some(links) = self.units[index].links.take() else { continue };
            let used = links.used.clone();
            let faults = self.pool.set_links(FileId(index as u32), links);
            let unit = &mut self.units[index];
            unit.used = used;
            // Names may be unknown because the file that has them is.
            let suppressed = |fault: &Fault| unit.lacks_imports && fault.code == "undefined-name";
            unit.faults.extend(faults.into_iter().filter(|fault| !suppressed(fault)));
        }
    }

    /// Finds the files that depend on something missing or broken.
    fn find_gaps(&mut self) {
        for index in 0..self.units.len() {
            let unit = &self.units[index];
            let imports = unit.proto.dependency.iter().chain(&unit.proto.option_dependency);
            let lacks = imports.into_iter().any(|path| match self.pool.file_by_path(path) {
                None => true,
                // Imports come first, so what they lack is known already.
                Some(id) => self.units[id.index()].is_broken || self.units[id.index()].lacks_imports,
            });
            self.units[index].lacks_imports = lacks || unit.is_broken;
        }
    }

    fn plan_waves(&mut self) {
        let mut level = vec![0usize; self.units.len()];
        for index in 0..self.units.len() {
            let imports = self.pool.file(FileId(index as u32)).imports();
            // In a cycle, which is an error, some import comes later; it counts as level 0.
            level[index] = imports.map(|(id, _)| level[id.index()] + 1).max().unwrap_or_default();
        }
        let count = level.iter().max().map_or(0, |max| max + 1);
        self.waves = vec![Vec::new(); count];
        for (index, level) in level.into_iter().enumerate() {
            self.waves[level].push(index);
        }
    }

    // ---- options

    fn interpret_options(&mut self) {
        for wave in std::mem::take(&mut self.waves) {
            // A file that declares options may use them itself, and their features with them.
            self.options_of_wave(&wave, Stage::Preliminary);
            self.options_of_wave(&wave, Stage::Final);
        }
    }

    fn options_of_wave(&mut self, wave: &[usize], stage: Stage) {
        let members: HashSet<usize> = wave.iter().copied().collect();
        let pool = &self.pool;
        let units: Vec<(usize, &mut Unit)> =
            self.units.iter_mut().enumerate().filter(|(index, _)| members.contains(index)).collect();
        parallel::for_each(self.threads, units.into_iter(), |(index, unit)| {
            let file = FileId(index as u32);
            let declares_options = || {
                let schema = pool.message("google.protobuf.FieldOptions").map(|m| m.file().id());
                schema == Some(file) || pool.file(file).fields().any(|field| field.is_extension())
            };
            if stage == Stage::Preliminary && (unit.pending.is_empty() || !declares_options()) {
                return;
            }
            let context = OptionContext {
                pool,
                file,
                source: &unit.source.text,
                is_input: unit.is_input,
                lacks_imports: unit.lacks_imports,
            };
            let mut interpreted = interpret(context, &unit.pending, stage == Stage::Preliminary);
            for (pending, element) in unit.pending.iter().zip(&interpreted.elements) {
                if let Err(error) =
                    options_slot(&mut unit.proto, &pending.path, pending.kind, &element.encoded)
                {
                    let span =
                        pending.statements.first().map_or(Span::default(), |s| s.name_span.to(s.value_span));
                    interpreted.faults.push(SyntaxFault {
                        code: "option-encoding",
                        span,
                        message: format!("options cannot be encoded: {error}"),
                        help: None,
                        replacement: None,
                        is_warning: false,
                    });
                }
            }
            unit.derived = Some(pool.derive_options(file, &unit.proto));
            unit.interpreted = interpreted;
        });
        for &index in wave {
            let Some(derived) = self.units[index].derived.take() else { continue };
            let faults = self.pool.set_options(FileId(index as u32), derived);
            if stage == Stage::Final {
                let unit = &mut self.units[index];
                unit.faults.extend(faults);
                unit.syntax_faults.append(&mut unit.interpreted.faults);
                let used = std::mem::take(&mut unit.interpreted.used);
                unit.used.extend(used);
            }
        }
    }

    // ---- checking

    fn check(&mut self) {
        let pool = &self.pool;
        parallel::for_each(self.threads, self.units.iter_mut().enumerate(), |(index, unit)| {
            let file = FileId(index as u32);
            // A file that is not understood would be reported for what it does not say.
            if unit.is_broken {
                unit.faults.retain(|fault| matches!(fault.code, "import-cycle" | "duplicate-import"));
                return;
            }
            let scope = if unit.is_input { Scope::Input } else { Scope::Import };
            pool.check(file, &unit.proto, scope, &mut unit.faults);
            if unit.is_input && !unit.is_descriptor {
                let unused = unused_imports(pool, file, unit);
                let plain = unused.iter().filter(|fault| fault.path[0] == 3);
                unit.unused_imports = plain.map(|fault| fault.path[1] as usize).collect();
                unit.faults.extend(unused);
                unit.faults.extend(option_import_faults(pool, file, unit));
                unit.faults.extend(generic_services(file, &unit.proto));
            }
        });
    }

    // ---- the result

    fn finish(mut self) -> Result<Compilation, Diagnostics> {
        let is_error = |unit: &Unit| {
            unit.faults.iter().any(|fault| fault.severity == Severity::Error)
                || unit.syntax_faults.iter().any(|fault| !fault.is_warning)
        };
        let failed = !self.loose.is_empty()
            || self.units.iter().any(is_error)
            || self.units.iter().any(|unit| self.missing_imports(unit).next().is_some());
        let diagnostics = self.diagnostics();
        if failed {
            return Err(diagnostics);
        }
        let pool = &self.pool;
        parallel::for_each(self.threads, self.units.iter_mut().enumerate(), |(index, unit)| {
            finish_names(pool.file(FileId(index as u32)), &mut unit.proto);
            let elements = std::mem::take(&mut unit.interpreted.elements);
            for (pending, element) in unit.pending.iter().zip(&elements) {
                let Some(runtime) = &element.runtime else { continue };
                let full = element.encoded.clone();
                unit.full_options.push(FullOptions { path: pending.path.clone(), kind: pending.kind, full });
                // It was encoded from a message that decoded before.
                let _ = options_slot(&mut unit.proto, &pending.path, pending.kind, runtime);
            }
            if unit.is_descriptor {
                // A descriptor set is a schema; what it says beyond that is not kept.
                unit.proto.unknown_fields = UnknownFields::default();
                for Stripped { path, kind, full, runtime } in source_only(pool, &unit.proto) {
                    let _ = options_slot(&mut unit.proto, &path, kind, &runtime);
                    unit.full_options.push(FullOptions { path, kind, full });
                }
            }
            unit.interpreted.elements = elements;
        });
        let files = self.units.into_iter().map(|unit| {
            CompiledFile::new(Parts {
                source: unit.source,
                proto: unit.proto,
                pending: unit.pending,
                elements: unit.interpreted.elements,
                full_options: unit.full_options,
                source_info: unit.source_info,
                unused_imports: unit.unused_imports,
                says_syntax: unit.says_syntax,
            })
        });
        Ok(Compilation::new(self.pool, files.collect(), self.inputs, diagnostics))
    }

    fn missing_imports<'r>(&'r self, unit: &'r Unit) -> impl Iterator<Item = (usize, &'r String)> + 'r {
        let imports = unit.proto.dependency.iter().chain(&unit.proto.option_dependency);
        imports.enumerate().filter(|(_, path)| self.pool.file_by_path(path).is_none())
    }

    fn diagnostics(&mut self) -> Diagnostics {
        let sources: Vec<Source> = self.units.iter().map(|unit| unit.source.clone()).collect();
        let mut diagnostics = Diagnostics { items: std::mem::take(&mut self.loose), sources };
        let mut spans = SpanTables { tables: HashMap::new() };
        for index in 0..self.units.len() {
            let id = SourceId(index as u32);
            for fault in std::mem::take(&mut self.units[index].syntax_faults) {
                diagnostics.items.push(Diagnostic {
                    code: fault.code,
                    severity: if fault.is_warning { Severity::Warning } else { Severity::Error },
                    message: fault.message,
                    location: Some(Location { source: id, span: Some(fault.span) }),
                    labels: Vec::new(),
                    notes: Vec::new(),
                    help: fault.help,
                    replacement: fault.replacement,
                });
            }
            for fault in std::mem::take(&mut self.units[index].faults) {
                let location = spans.locate(&self.units, fault.file, &fault.path);
                let labels = fault
                    .related
                    .iter()
                    .map(|(file, path, label)| (spans.locate(&self.units, *file, path), label.clone()))
                    .collect();
                diagnostics.items.push(Diagnostic {
                    code: fault.code,
                    severity: fault.severity,
                    message: fault.message,
                    location: Some(location),
                    labels,
                    notes: Vec::new(),
                    help: fault.help,
                    replacement: fault.replacement,
                });
            }
            let missing: Vec<(usize, String)> =
                self.missing_imports(&self.units[index]).map(|(at, path)| (at, path.clone())).collect();
            for (at, path) in missing {
                let mut diagnostic = load_diagnostic(&path, self.load_errors.get(&path));
                diagnostic.code = "import-not-found";
                diagnostic.message = match self.load_errors.get(&path) {
                    Some(LoadError::Unreadable { .. }) => format!("cannot read import \"{path}\""),
                    _ => format!("import \"{path}\" is not found"),
                };
                let plain = self.units[index].proto.dependency.len();
                let place = match at.checked_sub(plain) {
                    None => vec![3, at as i32],
                    Some(at) => vec![15, at as i32],
                };
                diagnostic.location = Some(spans.locate(&self.units, FileId(index as u32), &place));
                diagnostics.items.push(diagnostic);
            }
        }
        diagnostics.sort();
        diagnostics
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Stage {
    /// Plain options only, for the features of options that the file declares and uses.
    Preliminary,
    Final,
}

fn parse(path: &str, loaded: Loaded, is_input: bool, source_info: bool) -> Unit {
    let mut unit = Unit {
        source: Source { import_path: path.to_owned(), display_path: path.to_owned(), text: Arc::new([]) },
        proto: FileDescriptorProto::default(),
        tables: None,
        pending: Vec::new(),
        source_info: None,
        syntax_faults: Vec::new(),
        faults: Vec::new(),
        is_broken: false,
        lacks_imports: false,
        is_input,
        is_descriptor: false,
        links: None,
        interpreted: Interpreted::default(),
        derived: None,
        used: BTreeSet::new(),
        unused_imports: Vec::new(),
        says_syntax: true,
        full_options: Vec::new(),
    };
    match loaded {
        Loaded::Descriptor(proto) => {
            unit.proto = *proto;
            unit.proto.name = Some(path.to_owned());
            unit.is_descriptor = true;
            if let Some(info) = unit.proto.source_code_info.take() {
                unit.source_info = Some(Box::new(SourceInfo::encoded(info.encode_to_vec())));
            }
        }
        Loaded::Text { display_path, text } => {
            unit.source.display_path = display_path;
            unit.source.text = text.into();
            let recorder = if source_info { Recorder::Encode(Box::default()) } else { Recorder::Off };
            let text = Arc::clone(&unit.source.text);
            let (tree, faults) = Tree::parse(&text);
            let lowered = lower(&tree, path, recorder);
            unit.is_broken = !faults.is_empty();
            unit.syntax_faults = faults;
            unit.says_syntax = !lowered.faults.iter().any(|fault| fault.code == "missing-syntax");
            unit.syntax_faults.extend(lowered.faults);
            unit.proto = lowered.proto;
            unit.pending = lowered.options;
            if let Recorder::Encode(info) = lowered.recorder {
                unit.source_info = Some(info);
            }
        }
    }
    unit.tables = Some(FileTables::new(&unit.proto));
    unit
}

fn load_diagnostic(path: &str, error: Option<&LoadError>) -> Diagnostic {
    let mut diagnostic = Diagnostic::error("file-not-found", format!("file \"{path}\" is not found"));
    match error {
        Some(LoadError::Unreadable { reason }) => {
            diagnostic.message = format!("cannot read file \"{path}\"");
            diagnostic.notes.push(reason.clone());
        }
        Some(LoadError::NotFound { searched }) if !searched.is_empty() => {
            diagnostic.notes.push(format!("searched in: {}", searched.join(", ")));
        }
        _ => {}
    }
    diagnostic
}

/// Where the elements of a file stand, found again when there is something to say about them.
struct SpanTables {
    tables: HashMap<FileId, HashMap<Vec<i32>, Span>>,
}

impl SpanTables {
    fn locate(&mut self, units: &[Unit], file: FileId, path: &[i32]) -> Location {
        let source = SourceId(file.0);
        let unit = &units[file.index()];
        if unit.is_descriptor || unit.source.text.is_empty() {
            return Location { source, span: None };
        }
        let table = self.tables.entry(file).or_insert_with(|| {
            let (tree, _) = Tree::parse(&unit.source.text);
            let lowered = lower(&tree, &unit.source.import_path, Recorder::Spans(HashMap::new()));
            let Recorder::Spans(mut spans) = lowered.recorder else { return HashMap::new() };
            for options in &lowered.options {
                let mut path = options.path.clone();
                path.push(options.kind.options_field());
                for statement in options.statements.iter().rev() {
                    let name = statement.name.last().map(|part| part.text.as_str()).unwrap_or_default();
                    // Faults name options by number; well-known ones are found by name.
                    if let Some(steps) = crate::element::option_steps(options.kind, &statement.name, name) {
                        let path = [path.as_slice(), &steps].concat();
                        spans.insert(path, statement.name_span.to(statement.value_span));
                    }
                }
            }
            spans
        });
        // What has no place of its own stands where its parent does.
        let span = (0..=path.len()).rev().find_map(|len| table.get(&path[..len]).copied());
        let span = span.filter(|_| !path.is_empty());
        Location { source, span: Some(span.unwrap_or_default()) }
    }
}

fn unused_imports(pool: &DescriptorPool, file: FileId, unit: &Unit) -> Vec<Fault> {
    if unit.lacks_imports || unit.faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Vec::new();
    }
    let public: HashSet<i32> = unit.proto.public_dependency.iter().copied().collect();
    let plain = unit.proto.dependency.len();
    let imports = unit.proto.dependency.iter().chain(&unit.proto.option_dependency);
    let mut faults = Vec::new();
    for (index, path) in imports.enumerate() {
        let Some(id) = pool.file_by_path(path) else { continue };
        let is_public = index < plain && public.contains(&(index as i32));
        if is_public || pool.file(id).has_public_imports() || unit.used.contains(&id) {
            continue;
        }
        let place = if index < plain { vec![3, index as i32] } else { vec![15, (index - plain) as i32] };
        let fault = Fault::warning(file, "unused-import", place, format!("import \"{path}\" is not used"));
        faults.push(fault.help("remove it"));
    }
    faults
}

// Options that redact fields must not be lost, and option imports are not kept.
fn option_import_faults(pool: &DescriptorPool, file: FileId, unit: &Unit) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, path) in unit.proto.option_dependency.iter().enumerate() {
        let Some(id) = pool.file_by_path(path) else { continue };
        let redacting =
            pool.file(id).fields().find(|field| field.is_extension() && crate::element::redacts(*field));
        if let Some(field) = redacting {
            let message = format!(
                "option `({})` marks fields to be redacted, and \"{path}\" is imported for options only",
                field.full_name()
            );
            let fault = Fault::error(file, "redacting-option-import", vec![15, index as i32], message);
            faults.push(fault.help("use a plain import, so that the option is kept"));
        }
    }
    faults
}

fn generic_services(file: FileId, proto: &FileDescriptorProto) -> Option<Fault> {
    let options = proto.options.as_deref()?;
    let set = [
        (options.cc_generic_services, 16),
        (options.java_generic_services, 17),
        (options.py_generic_services, 18),
    ];
    let (_, number) = set.into_iter().find(|(value, _)| *value == Some(true))?;
    let message = "generic services are deprecated; use a plugin for your RPC system";
    Some(Fault::warning(file, "generic-services", vec![8, number], message))
}

/// A pool with the built-in descriptor.proto alone.
pub(crate) fn descriptor_only() -> DescriptorPool {
    const PATH: &str = "google/protobuf/descriptor.proto";
    let text = crate::wellknown::source(PATH).unwrap_or_default();
    let loaded = Loaded::Text { display_path: PATH.into(), text: text.into() };
    let mut unit = parse(PATH, loaded, false, false);
    let mut pool = DescriptorPool::default();
    let mut faults = Vec::new();
    let Some(tables) = unit.tables.take() else { return pool };
    let Ok(file) = pool.add_file(PATH, tables) else { return pool };
    pool.connect(file, &unit.proto, &mut faults);
    pool.see();
    pool.declare(&mut faults);
    let links = pool.resolve(file, &unit.proto);
    pool.set_links(file, links);
    // Twice: the second time, what the first found out about the options is known.
    for _ in 0..2 {
        let context = OptionContext {
            pool: &pool,
            file,
            source: &unit.source.text,
            is_input: false,
            lacks_imports: false,
        };
        let interpreted = interpret(context, &unit.pending, false);
        for (pending, element) in unit.pending.iter().zip(&interpreted.elements) {
            let _ = options_slot(&mut unit.proto, &pending.path, pending.kind, &element.encoded);
        }
        pool.apply_options(file, &unit.proto);
    }
    pool
}
