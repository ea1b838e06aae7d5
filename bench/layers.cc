// SPDX-License-Identifier: MIT
#include "layers.h"

#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace bench
{

extern const char layers_text[]; // layers.json: see layers_text.cc.in

void check(int32_t status, const std::string &what)
{
    if (status) throw std::runtime_error(what + ": " + ups_last_error());
}

Descriptor Layer::descriptor(int32_t layout) const
{
    Descriptor desc;
    int32_t code = ups_op_code(op.c_str());
    check(ups_desc_init(&desc, sizeof desc, code, nullptr), op);
    desc.head.size = static_cast<uint32_t>(ups_desc_size(code));
    desc.head.rank = rank();
    desc.head.layout = layout;
    if (code == UPS_CONV_TRANSPOSE || code == UPS_CONV_TRANSPOSE_GRAD_WEIGHTS)
        desc.conv_transpose.in_channels = channels;
    if (code == UPS_CONV_TRANSPOSE_GRAD_INPUT) desc.conv_transpose.out_channels = channels;
    for (const auto &[field, value] : fields) check(ups_desc_set(&desc, field.c_str(), value.c_str()), name);
    return desc;
}

ups_tensor Layer::tensor(int32_t layout) const
{
    ups_tensor tensor;
    int64_t dims[5] = {n, channels};
    for (int i = 0; i < rank(); i++) dims[2 + i] = sizes[i];
    check(ups_tensor_init(&tensor, sizeof tensor, descriptor(layout).head.dtype, rank(), layout, dims), name);
    return tensor;
}

std::vector<Layer> read_layers()
{
    std::vector<Layer> layers;
    for (const nlohmann::json &item : nlohmann::json::parse(layers_text)) {
        Layer layer;
        layer.name = item.at("name");
        layer.network = item.at("network");
        layer.op = item.at("op");
        layer.n = item.at("N");
        layer.channels = item.at("channels");
        layer.sizes = item.at("sizes").get<std::vector<int64_t>>();
        layer.bilinear = item.value("weights", "") == "bilinear";
        layer.quick = item.at("quick");
        layer.source = item.at("source");
        std::istringstream words(item.at("keys").get<std::string>());
        for (std::string word; words >> word;) {
            size_t equals = word.find('=');
            if (equals == std::string::npos) throw std::runtime_error(layer.name + ": " + word + " is not key=value");
            layer.fields.emplace_back(word.substr(0, equals), word.substr(equals + 1));
        }
        layers.push_back(layer);
    }
    return layers;
}

} // namespace bench
