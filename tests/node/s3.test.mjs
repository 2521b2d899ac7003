// s3 - the JavaScript SDK against the embedded S3: objects, versions, uploads in parts.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
  paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";
import { errorOf, options, unique } from "./cloud.mjs";

const s3 = new S3Client({ ...options, forcePathStyle: true });
const Bucket = unique("node");
const put = (Key, Body, more = {}) => s3.send(new PutObjectCommand({ Bucket, Key, Body, ...more }));
const get = (Key, more = {}) => s3.send(new GetObjectCommand({ Bucket, Key, ...more }));

before(() => s3.send(new CreateBucketCommand({ Bucket })));

after(async () => {
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket })) {
    for (const { Key } of page.Contents ?? []) await s3.send(new DeleteObjectCommand({ Bucket, Key }));
  }
  await s3.send(new DeleteBucketCommand({ Bucket }));
});

test("buckets", async () => {
  await s3.send(new HeadBucketCommand({ Bucket }));
  const { Buckets } = await s3.send(new ListBucketsCommand({}));
  assert.ok(Buckets.find((b) => b.Name === Bucket).CreationDate instanceof Date);
});

test("an object, with the checksum this SDK always sends", async () => {
  const made = await put("dir/a b\u00e9.txt", "hello", { ContentType: "text/plain", Metadata: { k: "v" } });
  assert.equal(made.ETag, '"5d41402abc4b2a76b9719d911017c592"');
  assert.equal(made.ChecksumCRC32, "NhCmhg==");
  const got = await get("dir/a b\u00e9.txt");
  assert.equal(await got.Body.transformToString(), "hello");
  assert.equal(got.ContentType, "text/plain");
  assert.deepEqual(got.Metadata, { k: "v" });
  assert.ok(got.LastModified instanceof Date);
});

test("a stream of unknown end is sent in signed chunks", async () => {
  const { Readable } = await import("node:stream");
  const size = 300000;
  await put("stream", Readable.from([Buffer.alloc(size, "a")]), { ContentLength: size });
  const got = await get("stream");
  assert.equal((await got.Body.transformToByteArray()).length, size);
});

test("ranges and conditions", async () => {
  const { ETag } = await put("range", "0123456789");
  const got = await get("range", { Range: "bytes=2-4" });
  assert.equal(await got.Body.transformToString(), "234");
  assert.equal(got.ContentRange, "bytes 2-4/10");
  assert.deepEqual((await errorOf(get("range", { IfMatch: '"x"' }))).slice(0, 2), [412, "PreconditionFailed"]);
  assert.equal((await errorOf(get("range", { IfNoneMatch: ETag })))[0], 304);
});

test("no such key, no such bucket", async () => {
  assert.deepEqual(await errorOf(get("nope")), [404, "NoSuchKey", "The specified key does not exist."]);
  assert.deepEqual((await errorOf(s3.send(new HeadObjectCommand({ Bucket, Key: "nope" })))).slice(0, 2), [
    404,
    "NotFound",
  ]);
  const other = s3.send(new ListObjectsV2Command({ Bucket: "no-such-bucket-here" }));
  assert.deepEqual((await errorOf(other)).slice(0, 2), [404, "NoSuchBucket"]);
});

test("copy, list, delete", async () => {
  for (const k of ["l/1", "l/2", "l/sub/3"]) await put(k, k);
  await s3.send(new CopyObjectCommand({ Bucket, Key: "l/4", CopySource: `${Bucket}/l/1` }));
  const page = await s3.send(new ListObjectsV2Command({ Bucket, Prefix: "l/", Delimiter: "/" }));
  assert.deepEqual(page.Contents.map((o) => o.Key), ["l/1", "l/2", "l/4"]);
  assert.deepEqual(page.CommonPrefixes.map((p) => p.Prefix), ["l/sub/"]);
  const keys = [];
  for await (const p of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket, Prefix: "l/" })) {
    keys.push(p.Contents.map((o) => o.Key));
  }
  assert.deepEqual(keys, [["l/1", "l/2"], ["l/4", "l/sub/3"]]);
  const Objects = keys.flat().map((Key) => ({ Key }));
  const { Deleted } = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }));
  assert.equal(Deleted.length, 4);
});

test("parts", async () => {
  const where = { Bucket, Key: "parts" };
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand(where));
  const Parts = [];
  for (const [i, Body] of [Buffer.alloc(5 << 20, "x"), Buffer.from("end")].entries()) {
    const PartNumber = i + 1;
    const part = await s3.send(new UploadPartCommand({ ...where, UploadId, PartNumber, Body }));
    Parts.push({ PartNumber, ETag: part.ETag });
  }
  const whole = await s3.send(
    new CompleteMultipartUploadCommand({ ...where, UploadId, MultipartUpload: { Parts } }),
  );
  assert.match(whole.ETag, /-2"$/);
  assert.equal((await get("parts")).ContentLength, (5 << 20) + 3);
  const aborted = s3.send(new AbortMultipartUploadCommand({ ...where, UploadId }));
  assert.deepEqual((await errorOf(aborted)).slice(0, 2), [404, "NoSuchUpload"]);
});

test("a signed URL", async () => {
  await put("signed", "by url");
  const url = await getSignedUrl(s3, new GetObjectCommand({ Bucket, Key: "signed" }), { expiresIn: 60 });
  const page = await fetch(url);
  assert.equal(await page.text(), "by url");
  const changed = await fetch(url.replace("/signed?", "/other?"));
  assert.equal(changed.status, 403);
  assert.match(await changed.text(), /<Code>SignatureDoesNotMatch<\/Code>/);
});
