// SPDX-License-Identifier: MIT
//
// The layers of layers.json, which is compiled in: operations of known networks at their real sizes.
#ifndef UPS_BENCH_LAYERS_H
#define UPS_BENCH_LAYERS_H

#include <cstdint>
#include <string>
#include <vector>

#include "upsample/upsample.h"

namespace bench
{

union Descriptor {
    ups_desc_head head;
    ups_pool_desc pool;
    ups_unpool_desc unpool;
    ups_expand_desc expand;
    ups_shuffle_desc shuffle;
    ups_resize_desc resize;
    ups_conv_transpose_desc conv_transpose;
};

struct Layer {
    std::string name, network, op; // op: the word
    int64_t n, channels;
    std::vector<int64_t> sizes;                              // of the source, one per spatial axis
    std::vector<std::pair<std::string, std::string>> fields; // for ups_desc_set, in order
    bool bilinear;      // the weights are bilinear filters from each channel to itself: "weights": "bilinear"
    bool quick;         // in what `upsample bench` runs when nothing is asked for
    std::string source; // where it is from

    int rank() const { return static_cast<int>(sizes.size()); }
    // Throws with the library's sentence.
    Descriptor descriptor(int32_t layout) const;
    ups_tensor tensor(int32_t layout) const; // of the source, dense
};

// Throws if the file has a mistake.
std::vector<Layer> read_layers();

// Throws std::runtime_error with what and the library's sentence if the status is not UPS_OK.
void check(int32_t status, const std::string &what);

} // namespace bench
#endif
