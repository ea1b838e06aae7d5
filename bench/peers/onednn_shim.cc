// SPDX-License-Identifier: MIT
//
// oneDNN's primitives for onednn_peer.py, which calls this through ctypes: one layer, made once, run many times. Its arrays
// are the caller's own, dense with channels first or last; or in oneDNN's own formats, as between the layers of a network:
// then the source is reordered in peer_create, and the output in peer_fetch. Weights are reordered in peer_create.
// setup builds it: g++ -O2 -shared -fPIC onednn_shim.cc -ldnnl
#include <oneapi/dnnl/dnnl.hpp>

#include <cstdint>
#include <cstdio>
#include <string>
#include <unordered_map>

using namespace dnnl;
using Dims = memory::dims;
using Tag = memory::format_tag;
constexpr auto F32 = memory::data_type::f32;

enum Layout { FIRST, LAST, OWN };
enum Operation { CONV_TRANSPOSE, AVG_POOL, AVG_POOL_WITH_PADS, MAX_POOL, RESIZE_NEAREST, RESIZE_LINEAR };

struct PeerLayer {
    int64_t operation, rank, layout, n, channels, out_channels, group;
    int64_t in[3], out[3], kernel[3], strides[3], dilations[3], begin[3], end[3];
    double alpha; // of a leaky relu; 1: none
};

struct Peer {
    engine where{engine::kind::cpu, 0};
    stream queue{where};
    primitive what;
    std::unordered_map<int, memory> arguments;
    std::string implementation, format;
    memory::desc src, dst; // what the primitive takes
    memory workspace, plain_workspace;
    memory destination, plain_destination; // both: in own formats
};

static thread_local std::string failure;

static Dims spatial(const int64_t *values, int64_t rank, int64_t less = 0)
{
    Dims dims;
    for (int64_t i = 0; i < rank; i++) dims.push_back(values[i] - less);
    return dims;
}

static Dims with(Dims head, const int64_t *values, int64_t rank)
{
    for (int64_t i = 0; i < rank; i++) head.push_back(values[i]);
    return head;
}

static memory::desc dense(const PeerLayer &l, const Dims &dims, memory::data_type type = F32)
{
    static const Tag tags[2][3] = {{Tag::ncw, Tag::nchw, Tag::ncdhw}, {Tag::nwc, Tag::nhwc, Tag::ndhwc}};
    return {dims, type, tags[l.layout == LAST][l.rank - 1]};
}

// Blocks of channels as wide as a register: what its convolutions leave behind, and pooling and resampling, which choose no
// format themselves, are given.
static memory::desc blocked(const PeerLayer &l, const Dims &dims)
{
    static const Tag tags[2][3] = {{Tag::nCw8c, Tag::nChw8c, Tag::nCdhw8c}, {Tag::nCw16c, Tag::nChw16c, Tag::nCdhw16c}};
    const int isa = static_cast<int>(get_effective_cpu_isa()), avx512 = static_cast<int>(cpu_isa::avx512_core);
    return {dims, F32, tags[(isa & avx512) == avx512][l.rank - 1]};
}

static memory::desc wanted(const PeerLayer &l, const Dims &dims)
{
    if (l.layout != OWN) return dense(l, dims);
    return l.operation == CONV_TRANSPOSE ? memory::desc(dims, F32, Tag::any) : blocked(l, dims);
}

static std::string format_of(const memory::desc &desc)
{
    if (desc.get_inner_nblks()) return "blocks of " + std::to_string(desc.get_inner_blks()[0]);
    if (desc.get_dims()[1] == 1) return "one channel";
    return desc.get_strides()[1] == 1 ? "channels last" : "channels first";
}

static void copy_to(Peer &p, memory &from, memory &to)
{
    reorder(from, to).execute(p.queue, from, to);
    p.queue.wait();
}

static void reorder_into(Peer &p, memory &to, const memory::desc &desc, const void *data)
{
    memory given(desc, p.where, const_cast<void *>(data));
    copy_to(p, given, to);
}

// weights: group, O/group, I/group, kernel; without the first for one group.
static void make_conv_transpose(Peer &p, const PeerLayer &l, const memory::desc &src, const memory::desc &dst,
                                const void *weights, const void *bias)
{
    static const Tag tags[2][3] = {{Tag::oiw, Tag::oihw, Tag::oidhw}, {Tag::goiw, Tag::goihw, Tag::goidhw}};
    const bool grouped = l.group > 1;
    Dims dims =
        grouped ? Dims{l.group, l.out_channels / l.group, l.channels / l.group} : Dims{l.out_channels, l.channels};
    dims = with(dims, l.kernel, l.rank);
    const memory::desc plain(dims, F32, tags[grouped][l.rank - 1]), any(dims, F32, Tag::any);
    const memory::desc bias_desc({l.out_channels}, F32, Tag::a);
    primitive_attr attributes;
    if (l.alpha != 1) {
        post_ops after;
        after.append_eltwise(algorithm::eltwise_relu, static_cast<float>(l.alpha), 0);
        attributes.set_post_ops(after);
    }
    deconvolution_forward::primitive_desc desc(p.where, prop_kind::forward_inference, algorithm::deconvolution_direct,
                                               src, any, bias_desc, dst, spatial(l.strides, l.rank),
                                               spatial(l.dilations, l.rank, 1), spatial(l.begin, l.rank),
                                               spatial(l.end, l.rank), attributes);
    memory packed(desc.weights_desc(), p.where), added(bias_desc, p.where);
    reorder_into(p, packed, plain, weights);
    reorder_into(p, added, bias_desc, bias);
    p.implementation = desc.impl_info_str();
    p.what = deconvolution_forward(desc);
    p.src = desc.src_desc(), p.dst = desc.dst_desc();
    p.arguments[DNNL_ARG_WEIGHTS] = packed;
    p.arguments[DNNL_ARG_BIAS] = added;
}

// max_pool: as in training, where it records the place in the window of each maximum.
static void make_pool(Peer &p, const PeerLayer &l, const memory::desc &src, const memory::desc &dst)
{
    const bool recorded = l.operation == MAX_POOL;
    const algorithm kind = recorded                            ? algorithm::pooling_max
                           : l.operation == AVG_POOL_WITH_PADS ? algorithm::pooling_avg_include_padding
                                                               : algorithm::pooling_avg_exclude_padding;
    pooling_forward::primitive_desc desc(p.where, recorded ? prop_kind::forward_training : prop_kind::forward_inference,
                                         kind, src, dst, spatial(l.strides, l.rank), spatial(l.kernel, l.rank),
                                         spatial(l.dilations, l.rank, 1), spatial(l.begin, l.rank),
                                         spatial(l.end, l.rank));
    p.implementation = desc.impl_info_str();
    p.what = pooling_forward(desc);
    p.src = desc.src_desc(), p.dst = desc.dst_desc();
    if (!recorded) return;
    p.workspace = p.plain_workspace = memory(desc.workspace_desc(), p.where);
    if (l.layout == OWN) {
        const memory::desc plain =
            dense(l, with({l.n, l.out_channels}, l.out, l.rank), p.workspace.get_desc().get_data_type());
        p.plain_workspace = memory(plain, p.where);
    }
    p.arguments[DNNL_ARG_WORKSPACE] = p.workspace;
}

static void make_resize(Peer &p, const PeerLayer &l, const memory::desc &src, const memory::desc &dst)
{
    const algorithm kind = l.operation == RESIZE_NEAREST ? algorithm::resampling_nearest : algorithm::resampling_linear;
    resampling_forward::primitive_desc desc(p.where, prop_kind::forward_inference, kind, src, dst);
    p.implementation = desc.impl_info_str();
    p.what = resampling_forward(desc);
    p.src = desc.src_desc(), p.dst = desc.dst_desc();
}

// The caller's arrays, or copies of them in the formats that the primitive has chosen or was given.
static void put_arrays(Peer &p, const PeerLayer &l, const memory::desc &x_desc, const memory::desc &y_desc, void *x,
                       void *y)
{
    memory source(x_desc, p.where, x);
    p.destination = p.plain_destination = memory(y_desc, p.where, y);
    if (l.layout == OWN) {
        source = memory(p.src, p.where);
        reorder_into(p, source, x_desc, x);
        p.destination = memory(p.dst, p.where);
        p.format = format_of(p.src) + " to " + format_of(p.dst);
    }
    p.arguments[DNNL_ARG_SRC] = source;
    p.arguments[DNNL_ARG_DST] = p.destination;
}

extern "C" {

const char *peer_failure()
{
    return failure.c_str();
}

const char *peer_version()
{
    static char text[64];
    const dnnl_version_t *v = dnnl_version();
    snprintf(text, sizeof text, "%d.%d.%d", v->major, v->minor, v->patch);
    return text;
}

// NULL on failure: peer_failure says why.
Peer *peer_create(const PeerLayer *l, void *x, void *y, const void *weights, const void *bias)
{
    Peer *p = nullptr;
    try {
        p = new Peer;
        const Dims in = with({l->n, l->channels}, l->in, l->rank), out = with({l->n, l->out_channels}, l->out, l->rank);
        const memory::desc src = wanted(*l, in), dst = wanted(*l, out);
        if (l->operation == CONV_TRANSPOSE)
            make_conv_transpose(*p, *l, src, dst, weights, bias);
        else if (l->operation == RESIZE_NEAREST || l->operation == RESIZE_LINEAR)
            make_resize(*p, *l, src, dst);
        else
            make_pool(*p, *l, src, dst);
        put_arrays(*p, *l, dense(*l, in), dense(*l, out), x, y);
        return p;
    } catch (const std::exception &error) {
        failure = error.what();
        delete p;
        return nullptr;
    }
}

int peer_run(Peer *p)
{
    try {
        p->what.execute(p->queue, p->arguments);
        p->queue.wait();
        return 0;
    } catch (const std::exception &error) {
        failure = error.what();
        return 1;
    }
}

const char *peer_implementation(const Peer *p)
{
    return p->implementation.c_str();
}

const char *peer_format(const Peer *p)
{
    return p->format.c_str();
}

// Brings what the last run computed in own formats into y and the workspace that peer_workspace tells.
int peer_fetch(Peer *p)
{
    try {
        if (p->destination.get() != p->plain_destination.get()) copy_to(*p, p->destination, p->plain_destination);
        if (p->workspace && p->workspace.get() != p->plain_workspace.get())
            copy_to(*p, p->workspace, p->plain_workspace);
        return 0;
    } catch (const std::exception &error) {
        failure = error.what();
        return 1;
    }
}

// What a max_pool recorded, and the bytes of one entry; dense like y.
void *peer_workspace(const Peer *p, int64_t *bytes)
{
    *bytes = p->plain_workspace.get_desc().get_data_type() == memory::data_type::u8 ? 1 : 4;
    return p->plain_workspace.get_data_handle();
}

void peer_destroy(Peer *p)
{
    delete p;
}
}
