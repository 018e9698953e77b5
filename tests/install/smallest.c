/* SPDX-License-Identifier: Apache-2.0 */
/* A program of somebody else's: a pool of one area, one page mapped into it. */
#include <bounce/boot.h>
#include <bounce/kernels.h>
#include <bounce/swiotlb.h>
#include <stdio.h>

int main(void) {
    struct bounce_boot boot = {.nslabs = 128, .nareas = 1};
    struct bounce_swiotlb_config config = {
        .kernel = bounce_kernel_find("linux-6.12"), .cpus = 1, .start = 0x1000000};
    struct bounce_device device = {.dma_mask = 0xffffffff, .seg_boundary = 0xffffffff};
    struct bounce_map_request request = {.device = &device, .orig_addr = 0x200000, .size = 4096};
    struct bounce_map_result result;
    struct bounce_swiotlb *mem;
    struct bounce_error error;

    bounce_boot_round(&boot, config.cpus, &config.nslabs, &config.nareas);
    if (bounce_swiotlb_create(&config, &mem, &error)) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    bounce_swiotlb_map(mem, &request, &result);
    printf("%llx %u\n", (unsigned long long)result.tlb_addr, (unsigned)result.slots);
    bounce_swiotlb_destroy(mem);
    return 0;
}
