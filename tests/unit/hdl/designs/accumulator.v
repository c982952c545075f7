// Adds x whenever enable is 1; the sum is wider than a word of the kernel.
module accumulator #(
    parameter W = 8,
    parameter START = 0
) (
    input                 clk,
    input                 rst_n,
    input                 enable,
    input  signed [W-1:0] x,
    output reg     [99:0] sum,
    output                odd,      // combinational from the register
    output        [W-1:0] mirror    // combinational from the input
);
    always @(posedge clk or negedge rst_n)
        if (!rst_n) sum <= START;
        else if (enable) sum <= sum + {{(100 - W){x[W-1]}}, x};
    assign odd = sum[0];
    assign mirror = ~x;
endmodule
