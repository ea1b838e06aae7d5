// SPDX-License-Identifier: MIT
//
// What this machine can do at most, measured at the start of the run that is compared with it: multiply-adds on registers
// alone, and bytes copied, stored and read at working sets in each cache and beyond the last one. Every share of a peak or
// of a roof in a row refers to these figures, which stand in the context of the same JSON file.
#ifndef UPS_BENCH_MACHINE_H
#define UPS_BENCH_MACHINE_H

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench
{

// GB/s, read and written bytes together. copy and store are the better of plain and non-temporal stores.
struct Rates {
    double copy_plain, copy_nt, store_plain, store_nt, read;
    double copy() const { return copy_plain > copy_nt ? copy_plain : copy_nt; }
    double store() const { return store_plain > store_nt ? store_plain : store_nt; }
};

enum Place { IN_L1, IN_L2, IN_L3, IN_MEMORY, PLACES }; // IN_L3: the last cache, where there is one behind level 2

class Machine
{
  public:
    // Tiers that may run here, lowest first, and the thread counts that are asked for. Takes about a second each count.
    Machine(const std::vector<std::string> &tiers, const std::vector<int> &thread_counts);

    double fma_gflops(const std::string &tier, int threads) const { return fma_.at({tier, threads}); }
    const Rates &rates(Place place, int threads) const { return rates_.at(threads).at(place); }

    // The least time for this many bytes in and out, each once, by all threads together: as much of it as possible as a
    // copy, the rest as reads or stores, at the rates of the place the whole working set fits.
    double move_seconds(double read_bytes, double written_bytes, int threads) const;

    // Adds all of it, and what this machine is, to the context of the JSON.
    void add_context() const;

  private:
    Place place_of(double bytes, int threads) const;

    std::map<std::pair<std::string, int>, double> fma_;
    std::map<int, std::array<Rates, PLACES>> rates_;
};

// What of the context is known without measuring: the CPU, its caches, the compiler, the library.
std::map<std::string, std::string> machine_facts();

const char *place_name(Place place); // "L1", "L2", "L3", "memory"

// Bytes of a cache: level 1 (data), 2, 3. Where the system does not tell, those of a small current core; level 3 is that of
// level 2 where there is none.
int64_t cache_bytes(int level);

// Working set that lies in a place: half a cache, or four times the last cache (at most a GiB and a quarter of the free memory).
int64_t working_set(Place place);

} // namespace bench
#endif
