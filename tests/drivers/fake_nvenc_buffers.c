/* libnvidia-encode.so.1 of the fake drivers: input, bitstream buffers, registered device memory. */
#include <stdlib.h>
#include <string.h>

#include <libavutil/imgutils.h>

#include "fake_nvenc.h"

#define PITCH 64

static int bytes_of(NV_ENC_BUFFER_FORMAT format)
{
    return format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT ? 2 : 1;
}

static bool is_taken(NV_ENC_BUFFER_FORMAT format)
{
    return format == NV_ENC_BUFFER_FORMAT_NV12 || format == NV_ENC_BUFFER_FORMAT_YV12 ||
           format == NV_ENC_BUFFER_FORMAT_IYUV || format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT;
}

/* All three layouts take the same room: luma rows, then half as many chroma bytes. */
static size_t size_of(const struct fake_input *input)
{
    return (size_t)input->pitch * (input->height + (input->height + 1) / 2);
}

NVENCSTATUS fake_create_input(void *handle, NV_ENC_CREATE_INPUT_BUFFER *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    if (!is_taken(params->bufferFmt) || params->width == 0 || params->height == 0 ||
        params->width > 16384 || params->height > 16384) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "input buffer");
    }
    struct fake_input *input = calloc(1, sizeof(*input));
    if (input == NULL) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    input->width = params->width;
    input->height = params->height;
    input->pitch =
        (params->width * (uint32_t)bytes_of(params->bufferFmt) + PITCH - 1) / PITCH * PITCH;
    input->format = params->bufferFmt;
    input->memory = calloc(1, size_of(input));
    if (input->memory == NULL) {
        free(input);
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    input->next = session->inputs;
    session->inputs = input;
    params->inputBuffer = input;
    return NV_ENC_SUCCESS;
}

static void free_input(struct fake_input *input)
{
    free(input->memory);
    free(input);
}

/* Takes an input off the session's list; false when it isn't there. */
static bool drop_input(struct fake_session *session, void *handle, bool registered)
{
    for (struct fake_input **at = &session->inputs; *at != NULL; at = &(*at)->next) {
        if (*at == handle && (*at)->registered == registered) {
            struct fake_input *input = *at;
            *at = input->next;
            free_input(input);
            return true;
        }
    }
    return false;
}

static struct fake_input *find_input(struct fake_session *session, void *handle)
{
    struct fake_input *input = session->inputs;
    while (input != NULL && input != handle) {
        input = input->next;
    }
    return input;
}

NVENCSTATUS fake_destroy_input(void *handle, NV_ENC_INPUT_PTR input)
{
    struct fake_session *session = handle; /* on a lost device too */
    return drop_input(session, input, false) ? NV_ENC_SUCCESS : NV_ENC_ERR_INVALID_PARAM;
}

NVENCSTATUS fake_lock_input(void *handle, NV_ENC_LOCK_INPUT_BUFFER *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    struct fake_input *input = find_input(session, params->inputBuffer);
    if (input == NULL || input->registered) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "lock of no input buffer");
    }
    params->bufferDataPtr = input->memory;
    params->pitch = input->pitch;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_unlock_input(void *handle, NV_ENC_INPUT_PTR input)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    return session == NULL                      ? rc
           : find_input(session, input) == NULL ? NV_ENC_ERR_INVALID_PARAM
                                                : NV_ENC_SUCCESS;
}

NVENCSTATUS fake_create_output(void *handle, NV_ENC_CREATE_BITSTREAM_BUFFER *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    struct fake_output *output = calloc(1, sizeof(*output));
    if (output == NULL) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    output->next = session->outputs;
    session->outputs = output;
    params->bitstreamBuffer = output;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_destroy_output(void *handle, NV_ENC_OUTPUT_PTR output)
{
    struct fake_session *session = handle;
    for (struct fake_output **at = &session->outputs; *at != NULL; at = &(*at)->next) {
        if (*at == output) {
            struct fake_output *found = *at;
            *at = found->next;
            for (int i = 0; i < session->queued; i++) {
                if (session->queue[i] == found) {
                    session->queue[i] = NULL; /* its picture is thrown away */
                }
            }
            free(found->data);
            free(found);
            return NV_ENC_SUCCESS;
        }
    }
    return NV_ENC_ERR_INVALID_PARAM;
}

NVENCSTATUS fake_register(void *handle, NV_ENC_REGISTER_RESOURCE *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    rc = fake_nvenc_result(fake_cuda_fault(FAKE_REGISTER, session->pci, 0));
    if (rc != NV_ENC_SUCCESS) {
        return fake_session_fail(session, rc, "resource to register");
    }
    struct fake_input input = {.registered = true,
                               .address = (CUdeviceptr)(uintptr_t)params->resourceToRegister,
                               .width = params->width,
                               .height = params->height,
                               .pitch = params->pitch,
                               .format = params->bufferFormat};
    if (params->resourceType != NV_ENC_INPUT_RESOURCE_TYPE_CUDADEVICEPTR ||
        !is_taken(input.format) || input.pitch % 4 != 0 ||
        input.pitch < input.width * (uint32_t)bytes_of(input.format) || input.height == 0 ||
        input.height > 16384) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_PARAM, "resource to register");
    }
    if (fake_cuda_host(input.address, size_of(&input)) == NULL) {
        return fake_session_fail(session, NV_ENC_ERR_RESOURCE_REGISTER_FAILED,
                                 "%zu bytes at the address are no device memory", size_of(&input));
    }
    struct fake_input *kept = malloc(sizeof(*kept));
    if (kept == NULL) {
        return NV_ENC_ERR_OUT_OF_MEMORY;
    }
    *kept = input;
    kept->next = session->inputs;
    session->inputs = kept;
    params->registeredResource = kept;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_unregister(void *handle, NV_ENC_REGISTERED_PTR resource)
{
    struct fake_session *session = handle;
    struct fake_input *input = find_input(session, resource);
    if (input != NULL && input->mapped > 0) {
        return fake_session_fail(session, NV_ENC_ERR_INVALID_CALL, "the resource is still mapped");
    }
    return drop_input(session, resource, true) ? NV_ENC_SUCCESS
                                               : NV_ENC_ERR_RESOURCE_NOT_REGISTERED;
}

NVENCSTATUS fake_map(void *handle, NV_ENC_MAP_INPUT_RESOURCE *params)
{
    NVENCSTATUS rc;
    struct fake_session *session = fake_session_get(handle, &rc);
    if (session == NULL) {
        return rc;
    }
    struct fake_input *input = find_input(session, params->registeredResource);
    if (input == NULL || !input->registered) {
        return NV_ENC_ERR_RESOURCE_NOT_REGISTERED;
    }
    input->mapped++;
    params->mappedResource = input;
    params->mappedBufferFmt = input->format;
    return NV_ENC_SUCCESS;
}

NVENCSTATUS fake_unmap(void *handle, NV_ENC_INPUT_PTR resource)
{
    struct fake_session *session = handle;
    struct fake_input *input = find_input(session, resource);
    if (input == NULL || input->mapped == 0) {
        return NV_ENC_ERR_RESOURCE_NOT_MAPPED;
    }
    input->mapped--;
    return NV_ENC_SUCCESS;
}

void fake_free_buffers(struct fake_session *session)
{
    while (session->inputs != NULL) {
        struct fake_input *input = session->inputs;
        session->inputs = input->next;
        free_input(input);
    }
    while (session->outputs != NULL) {
        struct fake_output *output = session->outputs;
        session->outputs = output->next;
        free(output->data);
        free(output);
    }
}

/* Chroma samples of one row and plane: interleaved or not. */
static void chroma_row(const struct fake_input *input, const uint8_t *chroma, uint32_t y, int plane,
                       uint8_t *to, uint32_t count)
{
    const uint32_t rows = (input->height + 1) / 2;
    if (input->format == NV_ENC_BUFFER_FORMAT_NV12) {
        const uint8_t *from = chroma + (size_t)y * input->pitch + plane;
        for (uint32_t x = 0; x < count; x++) {
            to[x] = from[2 * x];
        }
    } else if (input->format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT) {
        const uint16_t *from = (const uint16_t *)(chroma + (size_t)y * input->pitch) + plane;
        for (uint32_t x = 0; x < count; x++) {
            ((uint16_t *)to)[x] = from[2 * x] >> 6; /* the value is in the high bits */
        }
    } else {
        bool second = (input->format == NV_ENC_BUFFER_FORMAT_IYUV) == (plane == 1);
        size_t half = input->pitch / 2;
        memcpy(to, chroma + (second ? half * rows : 0) + half * y, count);
    }
}

bool fake_read_input(struct fake_session *session, const struct fake_input *given, bool spoil)
{
    const struct fake_input *input = find_input(session, (void *)(uintptr_t)given);
    AVFrame *frame = session->frame;
    const uint32_t width = session->width, height = session->height;
    if (input == NULL || input->width < width || input->height < height ||
        (input->registered && input->mapped == 0)) {
        return false;
    }
    if (fake_cuda_wait(session->stream) != CUDA_SUCCESS) {
        return false;
    }
    bool deep = frame->format == AV_PIX_FMT_YUV420P10;
    if (deep != (input->format == NV_ENC_BUFFER_FORMAT_YUV420_10BIT)) {
        return false;
    }
    const uint8_t *luma =
        input->registered ? fake_cuda_host(input->address, size_of(input)) : input->memory;
    if (luma == NULL) {
        return false;
    }
    for (uint32_t y = 0; y < height; y++) {
        const uint8_t *from = luma + (size_t)y * input->pitch;
        uint8_t *to = frame->data[0] + (ptrdiff_t)y * frame->linesize[0];
        if (spoil) {
            memset(to, y & 16 ? 0x01 : 0x00, (size_t)width * (deep ? 2 : 1));
        } else if (deep) {
            for (uint32_t x = 0; x < width; x++) {
                ((uint16_t *)to)[x] = ((const uint16_t *)from)[x] >> 6;
            }
        } else {
            memcpy(to, from, width);
        }
    }
    const uint8_t *chroma = luma + (size_t)input->pitch * input->height;
    for (int plane = 0; plane < 2; plane++) {
        for (uint32_t y = 0; y < (height + 1) / 2; y++) {
            uint8_t *to = frame->data[plane + 1] + (ptrdiff_t)y * frame->linesize[plane + 1];
            chroma_row(input, chroma, y, plane, to, (width + 1) / 2);
        }
    }
    return true;
}
