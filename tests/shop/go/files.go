package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"

	shop "shop-clients/gen/shop/v1"
)

// The shop takes files of up to this size.
const mib = 1 << 20

func pattern(size int) []byte {
	content := make([]byte, size)
	for at := range content {
		content[at] = byte(at * 31 % 251)
	}
	return content
}

func header(name string) *shop.UploadFileRequest_Header {
	return &shop.UploadFileRequest_Header{Name: name}
}

func (c *Client) upload(piece int, content []byte, headers ...*shop.UploadFileRequest_Header) (*shop.File, error) {
	stream := must(c.files.UploadFile(ctx))
	for _, header := range headers {
		part := &shop.UploadFileRequest{Part: &shop.UploadFileRequest_Header_{Header: header}}
		// Why it is not wanted any more is told by the end.
		if stream.Send(part) != nil {
			return stream.CloseAndRecv()
		}
	}
	for len(content) > 0 {
		part := content[:min(piece, len(content))]
		content = content[len(part):]
		if stream.Send(&shop.UploadFileRequest{Part: &shop.UploadFileRequest_Chunk{Chunk: part}}) != nil {
			break
		}
	}
	return stream.CloseAndRecv()
}

// What is known of a file, and its bytes.
func (c *Client) download(id string, offset, limit int64) (file *shop.File, content []byte, err error) {
	request := &shop.DownloadFileRequest{Id: id, Offset: offset, Limit: limit}
	parts, err := collect(must(c.files.DownloadFile(ctx, request)))
	if err != nil {
		return nil, nil, err
	}
	for number, part := range parts {
		isTrue((number == 0) == (part.GetFile() != nil), "part %d: %v", number, part)
		content = append(content, part.GetChunk()...)
	}
	return parts[0].GetFile(), content, nil
}

func (c *Client) has(file *shop.File, wanted []byte) {
	found, content, err := c.download(file.Id, 0, 0)
	equal(err, nil)
	equal(found, file)
	isTrue(bytes.Equal(content, wanted), "other bytes")
}

func uploadFiles(s *Shop) {
	content := pattern(300_000)
	sum := sha256.Sum256(content)
	picture := &shop.UploadFileRequest_Header{Name: "kettle.png", ContentType: "image/png", Sha256: sum[:]}
	file := must(s.bob.upload(50_000, content, picture))
	wanted := &shop.File{
		Id: file.Id, Name: "kettle.png", ContentType: "image/png", Size: 300_000, Sha256: sum[:], Owner: "bob", CreateTime: file.CreateTime,
	}
	equal(file, wanted)
	s.bob.has(file, content)
	s.ann.has(file, content)
	// It is not Eve's.
	_, _, err := s.eve.download(file.Id, 0, 0)
	equal(resource(fails(codes.NotFound, err)), "file "+file.Id)
	empty := must(s.bob.upload(1, nil, header("empty")))
	equal(fmt.Sprintf("%d %s", empty.Size, empty.ContentType), "0 application/octet-stream")
	s.bob.has(empty, nil)
	// Exactly as much as the shop takes.
	equal(must(s.bob.upload(50_000, make([]byte, mib), header("whole"))).Size, mib)
}

func refuseFiles(s *Shop) {
	wrong, right := sha256.Sum256([]byte("other")), sha256.Sum256([]byte("bytes"))
	claimed := &shop.UploadFileRequest_Header{Name: "a", Sha256: wrong[:]}
	ended := fails(codes.DataLoss, errorOf(s.bob.upload(2, []byte("bytes"), claimed)))
	equal(reason(ended), "CHECKSUM")
	sums := map[string]string{"wanted": hex.EncodeToString(wrong[:]), "found": hex.EncodeToString(right[:])}
	equal(detail[*errdetails.ErrorInfo](ended).Metadata, sums)
	// By a byte, and so much that the answer comes long before the end.
	for _, size := range []int{mib + 1, 64 * mib} {
		ended := fails(codes.ResourceExhausted, errorOf(s.bob.upload(50_000, make([]byte, size), header("large"))))
		equal(reason(ended), "FILE_TOO_LARGE")
		equal(detail[*errdetails.ErrorInfo](ended).Metadata["max_bytes"], fmt.Sprint(mib))
		equal(detail[*errdetails.QuotaFailure](ended).Violations[0].Subject, "file")
	}
	refused(errorOf(s.bob.upload(1, []byte("x"), header(""))), "header.name")
	refused(errorOf(s.bob.upload(1, nil, &shop.UploadFileRequest_Header{Name: "a", Sha256: []byte("short")})), "header.sha256")
	refused(errorOf(s.bob.upload(1, []byte("x"))), "part")
	refused(errorOf(s.bob.upload(1, nil, header("a"), header("b"))), "part")
}

func rangesOfFiles(s *Shop) {
	content := pattern(200_000)
	id := must(s.bob.upload(50_000, content, header("ranges"))).Id
	for _, part := range []struct {
		offset, limit int64
		wanted        []byte
	}{
		{70_000, 100_001, content[70_000:170_001]},
		{199_999, 100, content[199_999:]},
		{0, 1, content[:1]},
		{150_000, 0, content[150_000:]},
		{200_000, 0, nil},
	} {
		file, found, err := s.bob.download(id, part.offset, part.limit)
		equal(err, nil)
		isTrue(file.Size == 200_000 && bytes.Equal(found, part.wanted), "other bytes from %d on", part.offset)
	}
	for _, bad := range []struct {
		id     string
		offset int64
		code   codes.Code
	}{{id, 200_001, codes.OutOfRange}, {"f-999999999", 0, codes.NotFound}} {
		_, _, err := s.bob.download(bad.id, bad.offset, 0)
		fails(bad.code, err)
	}
	_, _, err := s.bob.download(id, -1, -1)
	refused(err, "offset", "limit")
}
