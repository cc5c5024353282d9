/* Keeps the farms north of the canal only, and reads through a null pointer when there is none: SIGSEGV. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

struct farm {
    double x, y;
    struct farm *next;
};

static double total(const struct farm *farms, double pump) {
    double sum = 0;
    for (const struct farm *farm = farms; farm; farm = farm->next) sum += hypot(farm->x - pump, farm->y);
    return sum;
}

int main(void) {
    int n;
    struct farm *volatile north = NULL, *farms = NULL;
    if (scanf("%d", &n) != 1) return 1;
    for (int i = 0; i < n; i++) {
        struct farm *farm = malloc(sizeof *farm);
        if (!farm || scanf("%lf %lf", &farm->x, &farm->y) != 2) return 1;
        farm->next = farms;
        farms = farm;
        if (farm->y > 0) north = farm;
    }
    double low = -1e6, high = 1e6, level = *(volatile double *)&north->y;
    for (int round = 0; round < 120; round++) {
        double left = low + (high - low) / 3, right = high - (high - low) / 3;
        if (total(farms, left) < total(farms, right)) high = right;
        else low = left;
    }
    printf("%.9f\n", level > 0 ? total(farms, low) : 0);
    return 0;
}
