//! What services become: each `services/NAME.proto` beside `services/NAME.rs`. Their messages are in
//! `services/types`, which is not generated. `DUNLIN_UPDATE=1` rewrites the texts.

use std::path::Path;

use dunlin_codegen::rust::{Options, generate};
use dunlin_compiler::loader::{IncludePaths, Loader, Sources};
use dunlin_compiler::{Compiler, DescriptorOptions};
use dunlin_protobuf::dynamic::DynamicPool;
use dunlin_testkit::golden::{Golden, files};

/// The one package that a schema and its imports become.
fn package(loader: impl Loader, file: &str, options: &Options) -> String {
    let compilation = match Compiler::new(loader).source_info(true).compile([file]) {
        Ok(compilation) => compilation,
        Err(diagnostics) => panic!("{file}: {diagnostics:?}"),
    };
    let with_imports =
        DescriptorOptions { include_imports: true, include_source_info: true, ..Default::default() };
    let pool = DynamicPool::from_file_descriptor_set(compilation.file_descriptor_set(with_imports));
    let files = generate(&pool.expect("the compiler linked it"), &[file.into()], options);
    files.into_iter().find(|file| file.name != "mod.rs").expect("a package").content
}

#[test]
fn services_are_what_their_golden_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/services");
    let mut golden = Golden::new();
    for case in files(&folder, "proto").iter().filter(|file| file.parent() == Some(&folder)) {
        let name = case.file_name().expect("a file has a name").to_string_lossy();
        let loader = IncludePaths::new().folder(folder.to_string_lossy());
        golden.check(&case.with_extension("rs"), &package(loader, &name, &Options::default()));
    }
    golden.finish(3);
}

const PLAIN: &str = r#"syntax = "proto3"; package shop.v1; message M {}
service Shop { rpc Get(M) returns (M); } service Till { rpc Pay(M) returns (M); }"#;

fn plain(options: Options) -> String {
    package(Sources::new().file("shop.proto", PLAIN), "shop.proto", &options)
}

#[test]
fn clients_and_servers_are_switched_by_path() {
    let all = ["pub trait Shop:", "struct ShopServer<", "struct ShopClient {", "mod shop {"];
    for (parameter, want) in [
        ("", &all[..]),
        ("client=false", &["pub trait Shop:", "struct ShopServer<", "mod shop {"]),
        ("server=false", &["struct ShopClient {", "mod shop {"]),
        ("server=.shop.v1.Shop=false", &["struct ShopClient {", "mod shop {"]),
        ("server=.shop.v1.Till=false,client=.shop.v1.Till=false", &all),
        ("client=false,client=.shop.v1.Shop", &all),
        ("client=false,server=false", &[]),
        ("client=.shop=false,server=.shop=false", &[]),
        ("extern_path=.shop.v1.Shop=::shop::Shop", &[]), // another crate has it
    ] {
        let code = plain(Options::default().parse(parameter).unwrap());
        for part in all {
            assert_eq!(code.contains(part), want.contains(&part), "{parameter}: {part}\n{code}");
        }
    }
    let code = plain(Options::default().server(false));
    assert!(code.contains("/// Calls `shop.v1.Shop`.") && !code.contains("[`Shop`]"), "{code}");
}

#[test]
fn services_are_generated_where_the_rpc_runtime_is_known() {
    for (parameter, want) in [
        ("", Some("::dunlin")),
        ("runtime=::mine::dunlin::protobuf", Some("::mine::dunlin")),
        ("runtime=::dunlin_protobuf", None),
        ("runtime=crate", None),
        ("runtime=::protobuf", None), // nothing is left of it
        ("runtime=::dunlin_protobuf,rpc_runtime=crate::rpc", Some("crate::rpc")),
        ("no_std", None),
        ("no_std,rpc_runtime=::dunlin", Some("::dunlin")),
    ] {
        let code = plain(Options::default().parse(parameter).unwrap());
        assert_eq!(code.contains("pub trait Shop"), want.is_some(), "{parameter}");
        if let Some(runtime) = want {
            assert!(code.contains(&format!("impl<T: Shop> {runtime}::server::Service for")), "{code}");
        }
    }
}

#[test]
fn schemas_say_themselves_what_is_generated() {
    let text = r#"syntax = "proto3"; package shop.v1; import "dunlin/options.proto"; message M {}
        option (dunlin.file).client = false;
        service Shop { rpc Get(M) returns (M); }
        service Till { option (dunlin.service) = { client: true, server: false }; }"#;
    let code = package(Sources::new().file("shop.proto", text), "shop.proto", &Options::default());
    let has = |part: &str| code.contains(part);
    assert!(has("trait Shop:") && !has("struct ShopClient"), "{code}");
    assert!(!has("trait Till:") && has("struct TillClient"), "{code}");
}

#[test]
fn services_of_servers_bring_the_descriptors_of_their_package() {
    for (parameter, want) in [
        ("", true),
        ("client=false", true),
        ("service_descriptors=false", false),
        ("service_descriptors=false,service_descriptors=.shop.v1.Till", true),
        ("server=false", false), // a client is told, and tells nobody
        ("client=false,server=false", false),
        ("no_std", false),
    ] {
        let code = plain(Options::default().parse(parameter).unwrap());
        assert_eq!(code.contains("pub const FILE_DESCRIPTOR_SET: &[u8] = b\""), want, "{parameter}\n{code}");
        assert_eq!(code.contains("methods.describe(FILE_DESCRIPTOR_SET);"), want, "{parameter}\n{code}");
    }
    let code = plain(Options::default().service_descriptors((".shop.v1.Till", false)));
    assert_eq!(code.matches("methods.describe(").count(), 1, "{code}");
    // A service without methods has a schema too.
    let text = r#"syntax = "proto3"; package a; import "google/protobuf/descriptor.proto"; service S {}
        extend google.protobuf.MessageOptions { string file_descriptor_set = 50000; }"#;
    let code = package(Sources::new().file("a.proto", text), "a.proto", &Options::default());
    assert!(code.contains("methods.describe(FILE_DESCRIPTOR_SET);"), "{code}");
    assert!(code.contains("pub const FILE_DESCRIPTOR_SET_: ::dunlin::protobuf::Extension<"), "{code}");
}
