pub mod fleet {
    pub mod v1 {
        tonic::include_proto!("fleet.v1");
    }
}

/// For a reflection service.
pub const DESCRIPTORS: &[u8] = tonic::include_file_descriptor_set!("fleet_descriptor");
