//! The schema of the shop for tonic: its messages, and of its services what is measured.

use std::error::Error;

use dunlin_compiler::loader::IncludePaths;
use dunlin_compiler::{Compiler, DescriptorOptions};
use prost::Message as _;

const PROTO: &str = "../../examples/shop/proto";
const FILES: [&str; 2] = ["shop/v1/product_service.proto", "shop/v1/order_service.proto"];
const METHODS: [&str; 3] = ["GetProduct", "ListProducts", "CreateOrder"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={PROTO}");
    let compiled = Compiler::new(IncludePaths::new().folder(PROTO)).compile(FILES)?;
    let options = DescriptorOptions { include_imports: true, ..Default::default() };
    let mut encoded = Vec::new();
    compiled.encode_file_descriptor_set(options, |part| {
        encoded.extend_from_slice(part);
        Ok::<(), Box<dyn Error>>(())
    })?;
    let mut set = prost_types::FileDescriptorSet::decode(&*encoded)?;
    for service in set.file.iter_mut().flat_map(|file| &mut file.service) {
        service.method.retain(|method| METHODS.contains(&method.name()));
    }
    tonic_prost_build::configure().build_client(false).compile_fds(set)?;
    Ok(())
}
