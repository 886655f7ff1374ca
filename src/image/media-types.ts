/** The media types of OCI's image-spec (media-types.md) and Docker's that stand for the same. */
const oci = 'application/vnd.oci.image'
const docker = 'application/vnd.docker.distribution.manifest'
/** What a document of ours says it is. */
export const ociManifestType = `${oci}.manifest.v1+json`
export const ociIndexType = `${oci}.index.v1+json`
export const manifestTypes = [ociManifestType, `${docker}.v2+json`]
export const indexTypes = [ociIndexType, `${docker}.list.v2+json`]
export const configTypes = [`${oci}.config.v1+json`, 'application/vnd.docker.container.image.v1+json']
export const emptyType = 'application/vnd.oci.empty.v1+json'
export const layerType =
  /^application\/vnd\.(?:oci\.image\.layer\.(?:nondistributable\.)?v1\.tar|docker\.image\.rootfs\.(?:foreign\.)?diff\.tar)(?:[.+](?:gzip|zstd))?$/

/** What we can read, best first: for the Accept header. */
export const acceptedTypes = [...indexTypes, ...manifestTypes].join(', ')
