//! Files, in pieces.

use dunlin::{Code, Status};
use sha2::{Digest, Sha256};
use shop_example::proto::download_file_response::Part as DownloadPart;
use shop_example::proto::upload_file_request::{Header, Part};
use shop_example::proto::{DownloadFileRequest, File, UploadFileRequest, UploadServiceClient};

use crate::support::{Open, bad_fields, code, reason};

fn part(part: Part) -> UploadFileRequest {
    UploadFileRequest { part: Some(part), ..Default::default() }
}

fn header(name: &str, sha256: &[u8]) -> Header {
    Header { name: name.into(), sha256: sha256.to_vec().into(), ..Default::default() }
}

async fn upload(files: &UploadServiceClient, header: Header, bytes: &[u8]) -> Result<File, Status> {
    let mut upload = files.upload_file().await?;
    // What ends the call early is told by its end.
    let _ = upload.send(part(Part::Header(Box::new(header)))).await;
    for chunk in bytes.chunks(50_000) {
        if upload.send(part(Part::Chunk(chunk.to_vec().into()))).await.is_err() {
            break;
        }
    }
    upload.finish().await
}

async fn download(files: &UploadServiceClient, id: &str, offset: i64, limit: i64) -> Result<Vec<u8>, Status> {
    let request = DownloadFileRequest { id: id.into(), offset, limit, ..Default::default() };
    let mut parts = files.download_file(request).await?;
    let mut bytes = Vec::new();
    let mut is_first = true;
    while let Some(part) = parts.next().await? {
        match part.part.unwrap() {
            DownloadPart::File(file) => assert!(is_first && file.id == id),
            DownloadPart::Chunk(chunk) => bytes.extend_from_slice(&chunk),
        }
        is_first = false;
    }
    Ok(bytes)
}

#[tokio::test]
async fn a_file_comes_back_as_it_went_whole_or_in_part() {
    let folder = tempfile::tempdir().unwrap();
    let shop = Open::in_folder(folder.path(), 0).await;
    let files = shop.customer().files;
    let bytes: Vec<u8> = (0..300_000_u32).map(|number| number.wrapping_mul(31) as u8).collect();
    let sha256 = Sha256::digest(&bytes);
    let file = upload(&files, header("kettle.png", &sha256), &bytes).await.unwrap();
    assert_eq!((&*file.id, &*file.name, file.size), ("f-1", "kettle.png", 300_000));
    assert_eq!((&*file.content_type, &*file.owner), ("application/octet-stream", "demo-customer"));
    assert_eq!(file.sha256[..], sha256[..]);
    assert_eq!(upload(&files, header("empty", b""), b"").await.unwrap().size, 0);

    assert_eq!(download(&files, "f-1", 0, 0).await.unwrap(), bytes);
    assert_eq!(download(&files, "f-1", 70_000, 100_001).await.unwrap(), bytes[70_000..170_001]);
    assert_eq!(download(&files, "f-1", 299_999, 100).await.unwrap(), bytes[299_999..]);
    assert_eq!(download(&files, "f-1", 300_000, 0).await.unwrap(), b"");
    assert_eq!(download(&files, "f-2", 0, 0).await.unwrap(), b"");
    assert_eq!(code(download(&files, "f-1", 300_001, 0).await), Code::OutOfRange);
    assert_eq!(bad_fields(download(&files, "f-1", -1, -1).await), ["offset", "limit"]);
    assert_eq!(code(download(&files, "f-9", 0, 0).await), Code::NotFound);
    assert_eq!(bad_fields(download(&files, "", 0, 0).await), ["id"]);
    // It is its owner's, and the shop's.
    assert_eq!(download(&shop.admin().files, "f-1", 0, 1).await.unwrap(), bytes[..1]);
    upload(&shop.admin().files, header("secret", b""), b"x").await.unwrap();
    assert_eq!(code(download(&files, "f-3", 0, 0).await), Code::NotFound);

    // Files outlive the shop, and what is left of others goes.
    shop.close().await;
    let left = folder.path().join("files");
    for name in ["file-7.part", "file-8", "mine.txt"] {
        std::fs::write(left.join(name), "x").unwrap();
    }
    let shop = Open::in_folder(folder.path(), 0).await;
    assert_eq!(download(&shop.customer().files, "f-1", 0, 0).await.unwrap(), bytes);
    let is_there = |name: &str| left.join(name).exists();
    assert_eq!(["file-7.part", "file-8", "mine.txt"].map(is_there), [false, false, true]);
    assert_eq!(std::fs::read_dir(&left).unwrap().count(), 4);
    shop.close().await;
}

#[tokio::test]
async fn what_is_damaged_too_large_or_in_disorder_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let shop = Open::with(&["--data", data, "--seed", "0", "--max-upload", "1"]).await;
    let files = shop.customer().files;
    let other = upload(&files, header("a", &Sha256::digest("other")), b"bytes").await.unwrap_err();
    assert_eq!((other.code(), &*reason(&other)), (Code::DataLoss, "CHECKSUM"));
    let large = upload(&files, header("a", b""), &vec![0; (1 << 20) + 1]).await.unwrap_err();
    assert_eq!((large.code(), &*reason(&large)), (Code::ResourceExhausted, "FILE_TOO_LARGE"));
    upload(&files, header("a", b""), &vec![0; 1 << 20]).await.unwrap();
    assert_eq!(bad_fields(upload(&files, header("", b""), b"").await), ["header.name"]);
    assert_eq!(bad_fields(upload(&files, header("a", b"short"), b"").await), ["header.sha256"]);
    let mut headless = files.upload_file().await.unwrap();
    let _ = headless.send(part(Part::Chunk(b"x".to_vec().into()))).await;
    assert_eq!(bad_fields(headless.finish().await), ["part"]);
    let mut twice = files.upload_file().await.unwrap();
    for _ in 0..2 {
        let _ = twice.send(part(Part::Header(Box::new(header("a", b""))))).await;
    }
    assert_eq!(bad_fields(twice.finish().await), ["part"]);

    // One that is broken off.
    let mut broken = files.upload_file().await.unwrap();
    broken.send(part(Part::Header(Box::new(header("a", b""))))).await.unwrap();
    broken.send(part(Part::Chunk(vec![0; 1000].into()))).await.unwrap();
    broken.cancel();
    shop.close().await;
    assert_eq!(std::fs::read_dir(folder.path().join("files")).unwrap().count(), 1);
}
