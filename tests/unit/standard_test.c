#include "operation_call.h"
int main(void){ return 0; }
